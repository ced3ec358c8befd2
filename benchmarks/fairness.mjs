// fairness.mjs - what endpoints that hang cost the others.
//
// 100 endpoints get every event at a steady pace, which is far below what the machine can do:
// what is measured is waiting, not work. Latency is from sending the event until it arrives at
// a healthy endpoint, accepting included. In rounds that take turns, the other half of the
// endpoints answers, or hangs until the time-out: the same engine, the same healthy endpoints.
// The bar: the p99 rises by less than 20 %.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEngine } from './lib/engine.mjs';
import { ALERT, median } from './lib/load.mjs';
import { start, stop, tempDir, until } from './lib/proc.mjs';

const ENDPOINTS = 100, EVENTS_PER_S = 5, TIMEOUT = '2s', MIN_SECONDS = 6;

/** A process that answers every request, and while it is frozen none: connections are made by
 *  the kernel, so that those that hang cost the machine what they cost the engine. */
async function startOthers() {
  const program = `require('node:http').createServer((req, res) => { req.resume(); res.end('ok'); })
    .listen(0, '127.0.0.1', 65535, function () { console.log(this.address().port); })`;
  const child = start([process.execPath, '-e', program],
    { log: join(tempDir(), 'others.log'), stdout: 'pipe' });
  const [port] = await once(child.stdout, 'data');
  return { child, url: `http://127.0.0.1:${Number(port)}` };
}

/** Times what arrives for the first time; on a busy machine one may be tried again. */
async function startHealthy() {
  const healthy = { sent: new Map(), seen: new Set(), latencies: [] };
  const server = createServer((req, res) => {
    const chunks = [];
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('end', () => {
      res.end('ok');
      const { n } = JSON.parse(Buffer.concat(chunks)).data, began = healthy.sent.get(n);
      const key = `${req.url} ${n}`;
      if (began === undefined || healthy.seen.has(key)) return;
      healthy.seen.add(key);
      healthy.latencies.push(performance.now() - began);
    });
  });
  server.listen(0, '127.0.0.1', 65535);
  await once(server, 'listening');
  healthy.url = `http://127.0.0.1:${server.address().port}`;
  healthy.stop = () => { server.closeAllConnections(); server.close(); };
  return healthy;
}

/** Sends at a steady pace for `seconds`; gives the latencies when the healthy ones got all. */
async function load(engine, healthy, seconds) {
  const sending = [], began = performance.now(), count = EVENTS_PER_S * seconds;
  healthy.latencies = [];
  healthy.sent.clear();
  healthy.seen.clear();
  for (let i = 0; i < count; i++) {
    await sleep(Math.max(0, began + (i * 1000) / EVENTS_PER_S - performance.now()));
    const n = `${began}-${i}`;
    healthy.sent.set(n, performance.now());
    sending.push(engine.api('POST', '/api/events', { event: 'alert', data: { ...ALERT, n } }));
  }
  await Promise.all(sending);
  const wanted = (count * ENDPOINTS) / 2;
  await until(() => healthy.latencies.length >= wanted, `${wanted} deliveries`);
  return healthy.latencies.sort((a, b) => a - b);
}

const at = (sorted, share) => sorted[Math.ceil(sorted.length * share) - 1];

async function round(engine, healthy, seconds) {
  const sorted = await load(engine, healthy, seconds);
  return { p50_ms: at(sorted, 0.5), p99_ms: at(sorted, 0.99) };
}

/** The same while the others hang; then all well again, as an operator would say. */
async function roundHanging(engine, healthy, others, seconds) {
  const failed = () => engine.metric('moonhook_attempts_failed_total');
  const before = await failed();
  others.child.kill('SIGSTOP');
  const sample = await round(engine, healthy, seconds);
  if (await failed() === before) throw new Error('no endpoint hung until its time-out');
  others.child.kill('SIGCONT');
  const { items } = await engine.api('GET', '/api/webhooks');
  for (const { id } of items) await engine.api('PATCH', `/api/webhooks/${id}`, { active: true });
  await until(async () => await engine.metric('moonhook_deliveries_pending') === 0,
    'every delivery made', { seconds: 60 });
  return sample;
}

async function measure({ fsync, rounds, seconds }) {
  const healthy = await startHealthy(), others = await startOthers();
  const engine = await startEngine({ fsync, flags: ['--webhook-timeout', TIMEOUT,
    '--retry-schedule', `0s${',1s'.repeat(20)}`] });
  for (let i = 0; i < ENDPOINTS; i++)
    await engine.api('POST', '/api/webhooks', { url: `${(i % 2 ? healthy : others).url}/${i}` });
  const samples = { calm: [], hanging: [] };
  await round(engine, healthy, seconds);                    // warm-up
  for (let i = 0; i < rounds; i++) {
    samples.calm.push(await round(engine, healthy, seconds));
    samples.hanging.push(await roundHanging(engine, healthy, others, seconds));
  }
  await engine.stop();
  healthy.stop();
  await stop(others.child);
  const of = (all) => Object.fromEntries(['p50_ms', 'p99_ms'].map(
    (field) => [field, median(all.map((sample) => sample[field]))]));
  return { moonhook: of(samples.hanging), peer: of(samples.calm) };
}

export async function fairness({ fsync, rounds, seconds }) {
  const both = await measure({ fsync, rounds, seconds: Math.max(seconds, MIN_SECONDS) })
    .catch((error) => ({ moonhook: { missing: error.message } }));
  const name = 'none hangs';
  return [
    { what: 'half of 100 endpoints hang: p50', unit: 'ms', field: 'p50_ms', ...both, name },
    { what: 'the same, p99 (aim: ratio < 1.20)', unit: 'ms', field: 'p99_ms', ...both, name },
  ];
}
