// disk.mjs - what an engine has in its Redis and on its disk, as bytes to search in.
import { execFile } from 'node:child_process';
import { createDecipheriv } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

// What the vault sealed about something under a key (base64); null if it does not open.
export function opens(sealed, key, about) {
  const bytes = Buffer.from(sealed.slice('enc:'.length), 'base64');
  const cipher = createDecipheriv('aes-256-gcm', Buffer.from(key, 'base64'), bytes.subarray(0, 12));
  cipher.setAAD(Buffer.from(about)).setAuthTag(bytes.subarray(-16));
  try {
    return Buffer.concat([cipher.update(bytes.subarray(12, -16)), cipher.final()]).toString();
  } catch {
    return null;
  }
}

// Every file below a folder: [path, bytes]. What goes away meanwhile is left out.
export function filesBelow(dir) {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
  return files.flatMap((f) => {
    const path = join(f.path, f.name);
    try {
      return [[path, readFileSync(path)]];
    } catch {
      return [];
    }
  });
}

// redis-cli towards the engine's own Redis; `input`: commands, one a line.
export async function redisCli(engine, args, input) {
  const child = run('redis-cli', ['-s', join(engine.data, 'redis', 'redis.sock'), ...args],
                    { timeout: 20_000, maxBuffer: 256 << 20, encoding: 'buffer' });
  child.child.stdin.on('error', () => {});      // it may end without having read
  if (input === undefined) child.child.stdin.destroy();
  else child.child.stdin.end(input);
  return (await child).stdout;
}

const READ = { string: (k) => ['GET', k], hash: (k) => ['HGETALL', k], set: (k) => ['SMEMBERS', k],
               zset: (k) => ['ZRANGE', k, 0, -1, 'WITHSCORES'], list: (k) => ['LRANGE', k, 0, -1],
               stream: (k) => ['XRANGE', k, '-', '+'] };

// The value of every key: [key, bytes].
export async function redisValues(engine) {
  const keys = (await redisCli(engine, ['--scan'])).toString().split('\n').filter(Boolean);
  const values = [];
  for (const key of keys) {
    const type = (await redisCli(engine, ['TYPE', key])).toString().trim();
    values.push([`${type} ${key}`, await redisCli(engine, ['--raw', ...READ[type](key)])]);
  }
  return values;
}
