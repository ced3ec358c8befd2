// arrival.mjs - from accepting an event to its arrival at an endpoint, at half of what the side
// can do: first a round at full speed tells how much that is, then events come at a steady
// pace, ten milliseconds' worth at a time. Measured from before the request (the job's adding)
// until the receiver wrote its line about it, in its log's milliseconds.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEngine } from './lib/engine.mjs';
import { ALERT, alternate } from './lib/load.mjs';
import { until } from './lib/proc.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { startBullmq } from './peers/bullmq.mjs';

const SLICE_MS = 10, FULL = 10000;
let made = 0;

async function startMoonhook(fsync, url) {
  const engine = await startEngine({ fsync });
  await engine.target('/api/webhooks', { url, events: ['alert'] });
  engine.add = (ids) => engine.api('POST', '/api/events/batch',
    JSON.stringify(ids.map((id) => ({ event: 'alert', id, data: ALERT }))));
  return engine;
}

const clock = () => performance.timeOrigin + performance.now();

/** How many a second, with a thousand added at a time. */
async function fullSpeed(side, receiver) {
  const before = await receiver.requests(), began = performance.now();
  for (let done = 0; done < FULL; done += 1000)
    await side.add(Array.from({ length: 1000 }, () => `full-${made++}`));
  await until(async () => await receiver.requests() - before >= FULL, 'full speed', { seconds: 60 });
  return FULL / ((performance.now() - began) / 1000);
}

const at = (sorted, share) => sorted[Math.ceil(sorted.length * share) - 1];

async function round(side, receiver, seconds) {
  side.rate ??= (await fullSpeed(side, receiver), await fullSpeed(side, receiver));   // warm
  const size = Math.max(1, Math.round(side.rate / 2 * SLICE_MS / 1000));
  const sent = new Map(), adding = [], began = performance.now();
  for (let slice = 0; slice < seconds * 1000 / SLICE_MS; slice++) {
    await sleep(Math.max(0, began + slice * SLICE_MS - performance.now()));
    const ids = Array.from({ length: size }, () => `half-${made++}`);
    for (const id of ids) sent.set(id, clock());
    adding.push(side.add(ids));
  }
  await Promise.all(adding);
  const lines = () => readFileSync(receiver.log, 'utf8').trim().split('\n')
    .map((line) => line.split(' ')).filter(([, id]) => sent.has(id));
  await until(() => lines().length >= sent.size, `${sent.size} arrivals`, { every_ms: 200 });
  const waits = lines().map(([s, id]) => Math.max(0, s * 1000 - sent.get(id))).sort((a, b) => a - b);
  return { p50_ms: at(waits, 0.5), p99_ms: at(waits, 0.99), rate: size * 1000 / SLICE_MS };
}

export async function arrival({ fsync, rounds, seconds }) {
  const receiver = await startReceiver({ log: true });
  const { moonhook, peer } = await alternate({
    moonhook: () => startMoonhook(fsync, receiver.url),
    peer: () => startBullmq(fsync, receiver.url),
  }, rounds, (side) => round(side, receiver, seconds));
  await receiver.stop();
  const both = { moonhook, peer, name: 'BullMQ' };
  return [
    { what: 'half load, of each side', unit: '/s', field: 'rate', ...both },
    { what: 'accepted to arrived at half load, p50', unit: 'ms', field: 'p50_ms', ...both },
    { what: 'accepted to arrived at half load, p99', unit: 'ms', field: 'p99_ms', ...both },
  ];
}
