// nginx.mjs - the peer that accepts events: nginx with Debian's Lua module and a Redis.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpu, freePort, start, stop, tempDir, untilServes } from '../lib/proc.mjs';
import { ask, startRedis } from '../lib/redis.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '../../build/peers/nginx-root');
const KEY = 'mh_0123456789abcdef0123456789abcdef';

/** Runs nginx with a configuration in which ${NAMES} are filled in. */
export async function startNginx(conf, names = {}) {
  execFileSync(join(HERE, 'get-nginx.sh'), [ROOT], { stdio: ['ignore', 'ignore', 'pipe'] });
  const dir = tempDir(), port = await freePort(), log = join(dir, 'nginx.log');
  const all = { ROOT, PORT: port, USER: userInfo().username, ...names };
  const text = readFileSync(conf, 'utf8')
    .replace(/\$\{([A-Z]+)\}/g, (same, name) => all[name] ?? same);
  writeFileSync(join(dir, 'nginx.conf'), text);
  mkdirSync(join(dir, 'body'));
  const libraries = ['lib', 'usr/lib'].map((d) => join(ROOT, d, 'x86_64-linux-gnu')).join(':');
  const child = start([join(ROOT, 'usr/sbin/nginx'), '-p', dir, '-c', join(dir, 'nginx.conf'),
    '-e', 'stderr'], { log, env: { LD_LIBRARY_PATH: libraries } });
  const url = `http://127.0.0.1:${port}`;
  await untilServes(url, 'nginx', child);
  return { child, url, dir };
}

/** A side as accept.mjs and hook.mjs measure it. */
export async function startNginxPeer(fsync) {
  const redis = await startRedis(fsync);
  const plugin = join(HERE, '../plugins/bench-hook/plugin.lua');
  const nginx = await startNginx(join(HERE, 'nginx.conf'),
    { HERE, KEY, PLUGIN: plugin, REDIS: redis.socket });
  return {
    url: `${nginx.url}/api/events`, key: KEY, status: 202,
    waitUrl: `${nginx.url}/api/events`, waitStatus: 202,
    cpu: () => cpu([nginx.child.pid, redis.child.pid]),
    accepted: async () => Number(ask(redis.socket, 'xlen', 'events')),
    settled: async () => {},                    // the hook ran before the answer
    stop: async () => { await stop(nginx.child); await stop(redis.child); },
  };
}
