// bullmq.mjs - the peer that delivers: BullMQ with a Redis, one producer, one worker.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpu, ending, start, stop, tempDir } from '../lib/proc.mjs';
import { calls, startRedis } from '../lib/redis.mjs';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));
const PROCESS = join(FOLDER, 'peers/bullmq-process.mjs');

function install() {
  if (existsSync(join(FOLDER, 'node_modules/bullmq'))) return;
  // Not `npm ci`: it wants the lock to name optional packages of other systems, too.
  execFileSync('npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'],
    { cwd: FOLDER, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** A process of bullmq-process.mjs: each message to it is answered with one. */
async function startRole(role, socket, url, endpoints) {
  const child = start([process.execPath, PROCESS, role, socket, url, String(endpoints)],
    { log: join(tempDir(), `${role}.log`), ipc: true });
  await answer(child);
  return child;
}

function answer(child) {
  const ended = child.ended.then(() => { throw new Error(`BullMQ: ${ending(child)}`); });
  return Promise.race([once(child, 'message'), ended]);
}

function request(child, message) {
  child.send(message);
  return answer(child);
}

/** A side as deliver.mjs measures it; it delivers to `endpoints` paths below `url`, in turn. */
export async function startBullmq(fsync, url, endpoints = 1) {
  install();
  const redis = await startRedis(fsync);
  const producer = await startRole('producer', redis.socket, url, endpoints);
  const worker = await startRole('worker', redis.socket, url, endpoints);
  const processes = [producer, worker, redis.child];
  let enqueued = 0;
  return {
    enqueue: (n) => { enqueued += n; return request(producer, n); },
    add: (ids) => { enqueued += ids.length; producer.send(ids); },   // answered, to nobody
    settled: () => request(worker, enqueued),
    cpu: () => cpu(processes.map(({ pid }) => pid)),
    calls: () => calls(redis.socket),
    stop: async () => { for (const one of processes) await stop(one); },
  };
}
