// deliver.mjs - signed webhooks from the first enqueue to the last one received.
//
// All sides make the same POSTs to the same receiver, which counts. moonhook and BullMQ take the
// events in batches of 1000 while they deliver and sign each payload twice (Standard Webhooks and
// X-Mission-Control-Signature); libcurl's multi interface, bare, shows what the POSTs cost by
// themselves. CPU time is engine + Redis, accepting over HTTP included, producer + worker +
// Redis, and one process; neither the receiver's nor the runner's. Redis commands include those
// in scripts.
import { startEngine } from './lib/engine.mjs';
import { alternate, difference, EVENT } from './lib/load.mjs';
import { until } from './lib/proc.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { startBullmq } from './peers/bullmq.mjs';
import { startCurl } from './peers/curl.mjs';

const BATCH = 1000, AT_ONCE = 64, ENDPOINTS = 100, FAN_OUT = 1000;

async function startMoonhook(fsync, url, endpoints) {
  const engine = await startEngine({ fsync });
  for (let i = 0; i < endpoints; i++)
    await engine.target('/api/webhooks', { url: `${url}/${i}`, events: ['alert'],
      concurrency: Math.ceil(AT_ONCE / endpoints) });
  engine.enqueue = async (n) => {
    for (let left = n / endpoints; left > 0; left -= BATCH) {
      const batch = `[${Array(Math.min(left, BATCH)).fill(EVENT)}]`;
      const { items } = await engine.api('POST', '/api/events/batch', batch);
      const refused = items.find(({ error }) => error);
      if (refused) throw new Error(refused.error.detail);
    }
  };
  return engine;
}

/** `n` deliveries, `step` of them at a time. */
async function round(side, receiver, n, step) {
  const before = { cpu: side.cpu(), calls: side.calls(), received: await receiver.requests() };
  const received = async () => await receiver.requests() - before.received;
  const began = performance.now();
  for (let done = step; done <= n; done += step)
    await Promise.all([side.enqueue(step), until(async () => await received() >= done,
      `${n} deliveries`, { seconds: 60, every_ms: step < n ? 2 : 10 })]);
  const seconds = (performance.now() - began) / 1000;
  await side.settled();
  if (await received() !== n) throw new Error(`${await received()} deliveries of ${n} events`);
  const cpu = difference(before.cpu, side.cpu()), calls = difference(before.calls, side.calls());
  const each = (kind, by) => Object.entries(by).map(([name, sum]) => [`${kind} ${name}`, sum / n]);
  return { rate: n / seconds, cpu_us: cpu.sum / n, own_us: (cpu.by.moonhook ?? 0) / n,
    commands: calls.sum / n,
    ...Object.fromEntries([...each('cpu', cpu.by), ...each('command', calls.by)]) };
}

async function compare({ fsync, rounds, deliveries }, { endpoints = 1, at_a_time, sides }) {
  const receiver = await startReceiver();
  const all = {
    moonhook: () => startMoonhook(fsync, receiver.url, endpoints),
    bullmq: () => startBullmq(fsync, receiver.url, endpoints),
    curl: () => startCurl(receiver.url, AT_ONCE),
  };
  const result = await alternate(Object.fromEntries(sides.map((name) => [name, all[name]])), rounds,
    (side, warm) => {
      const n = warm ? Math.min(deliveries, 5000) : deliveries;
      return round(side, receiver, n, at_a_time ?? n);
    });
  await receiver.stop();
  return result;
}

/** One endpoint. */
export async function deliver(options) {
  const { moonhook, bullmq, curl } = await compare(options, { sides: ['moonhook', 'bullmq', 'curl'] });
  const beside = { moonhook, peer: bullmq, name: 'BullMQ' };
  const bare = { moonhook, peer: curl, name: 'bare libcurl' };
  return [
    { what: 'signed deliveries, end to end (aim: ratio 5)', unit: '/s', field: 'rate', ...beside },
    { what: 'CPU per delivery', unit: 'us', field: 'cpu_us', ...beside },
    { what: 'Redis commands per delivery', unit: '', field: 'commands', ...beside },
    { what: 'CPU per delivery, Redis included (aim: ratio 2)', unit: 'us', field: 'cpu_us', ...bare },
    { what: 'the same, engine only', unit: 'us', field: 'own_us',
      ...bare, peer: curl.missing ? curl : { own_us: curl.cpu_us } },
  ];
}

/** Many endpoints: every event goes to all of them. */
export async function spread(options) {
  const sides = ['moonhook', 'bullmq'];
  const many = await compare(options, { endpoints: ENDPOINTS, sides });
  const one = await compare(options, { endpoints: FAN_OUT, at_a_time: FAN_OUT, sides });
  const row = ({ moonhook, bullmq }, what) => ({ what, unit: '/s', field: 'rate', moonhook,
    peer: bullmq, name: 'BullMQ' });
  const cpu = ({ moonhook, bullmq }, what) => ({ what, unit: 'us', field: 'cpu_us', moonhook,
    peer: bullmq, name: 'BullMQ' });
  return [
    row(many, `deliveries to ${ENDPOINTS} endpoints`), cpu(many, 'CPU per delivery of those'),
    row(one, `deliveries of one event to ${FAN_OUT} endpoints`), cpu(one, 'CPU per delivery of those'),
  ];
}
