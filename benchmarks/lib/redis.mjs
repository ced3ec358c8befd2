// redis.mjs - a Redis of a peer's own, and questions to any Redis on a Unix socket.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { start, tempDir, until } from './proc.mjs';

export function ask(socket, ...words) {
  return execFileSync('redis-cli', ['-s', socket, '--raw', ...words],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

/** How often Redis ran each command so far, those inside its scripts included. */
export function calls(socket) {
  const stats = ask(socket, 'info', 'commandstats');
  const of = {};
  for (const [, name, n] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) of[name] = Number(n);
  return of;
}

/** A redis-server with an append-only file, as moonhook's own has one. */
export async function startRedis(fsync) {
  const dir = tempDir();
  const socket = join(dir, 'redis.sock');
  const child = start(['redis-server', '--port', '0', '--unixsocket', socket, '--dir', dir,
    '--save', '', '--appendonly', 'yes', '--appendfsync', fsync], { log: join(dir, 'redis.log') });
  await until(() => { try { return ask(socket, 'ping') === 'PONG'; } catch { return false; } },
    'redis-server', { child });
  return { child, socket };
}
