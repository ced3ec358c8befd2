// deliver.mjs - signed webhooks from the first enqueue to the last one received.
//
// Both sides take the events in batches of 1000 while they deliver, sign each payload twice
// (Standard Webhooks and X-Mission-Control-Signature) and send to the same receiver, which
// counts. CPU time is engine + Redis, accepting over HTTP included, and producer + worker +
// Redis; neither the receiver's nor the runner's. Redis commands include those in scripts.
import { startEngine } from './lib/engine.mjs';
import { alternate, difference, EVENT } from './lib/load.mjs';
import { until } from './lib/proc.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { startBullmq } from './peers/bullmq.mjs';

const BATCH = 1000;

async function startMoonhook(fsync, url) {
  const engine = await startEngine({ fsync });
  await engine.target('/api/webhooks', { url, events: ['alert'] });
  engine.enqueue = async (n) => {
    for (let left = n; left > 0; left -= BATCH) {
      const batch = `[${Array(Math.min(left, BATCH)).fill(EVENT)}]`;
      const { items } = await engine.api('POST', '/api/events/batch', batch);
      const refused = items.find(({ error }) => error);
      if (refused) throw new Error(refused.error.detail);
    }
  };
  return engine;
}

async function round(side, receiver, n) {
  const before = { cpu: side.cpu(), calls: side.calls(), received: await receiver.requests() };
  const began = performance.now();
  const enqueued = side.enqueue(n);
  const received = async () => await receiver.requests() - before.received;
  await Promise.all([enqueued,
    until(async () => await received() >= n, `${n} deliveries`, { seconds: 60, every_ms: 10 })]);
  const seconds = (performance.now() - began) / 1000;
  await side.settled();
  if (await received() !== n) throw new Error(`${await received()} deliveries of ${n} events`);
  const cpu = difference(before.cpu, side.cpu()), calls = difference(before.calls, side.calls());
  const each = (kind, by) => Object.entries(by).map(([name, sum]) => [`${kind} ${name}`, sum / n]);
  return { rate: n / seconds, cpu_us: cpu.sum / n, commands: calls.sum / n,
    ...Object.fromEntries([...each('cpu', cpu.by), ...each('command', calls.by)]) };
}

export async function deliver({ fsync, rounds, deliveries }) {
  const receiver = await startReceiver();
  const { moonhook, peer } = await alternate({
    moonhook: () => startMoonhook(fsync, receiver.url),
    peer: () => startBullmq(fsync, receiver.url),
  }, rounds, (side, warm) => round(side, receiver, warm ? Math.min(deliveries, 5000) : deliveries));
  await receiver.stop();
  const name = 'BullMQ';
  return [
    { what: 'signed deliveries, end to end', unit: '/s', field: 'rate', moonhook, peer, name },
    { what: 'CPU per delivery', unit: 'us', field: 'cpu_us', moonhook, peer, name },
    { what: 'Redis commands per delivery', unit: '', field: 'commands', moonhook, peer, name },
  ];
}
