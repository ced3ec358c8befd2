// cli.mjs - the program `moonhook` as a user runs it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { build, environment } from './engine.mjs';

export function start(args, env = {}) {
  return spawn(join(build, 'moonhook'), args, { env: { ...environment, ...env }, stdio: 'pipe' });
}

// All of a stream, as text.
export async function text(stream) {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += chunk;
  return all;
}

// Runs a command to its end: { code, out, err }.
export async function run(args, { input = '', env } = {}) {
  const child = start(args, env);
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [out, err, [code]] =
    await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code, out, err };
}

// The same, as a client of this engine.
export const runAt = (engine, args, options) =>
  run(args, { ...options, env: { MOONHOOK_URL: engine.url, MOONHOOK_KEY: engine.key } });
