// million.mjs - memory over a million deliveries to one endpoint: of the engine, after the
// first tenth and at the end, and of its Redis, which is told to keep 50,000 events and
// trims while it works.
import { startEngine } from './lib/engine.mjs';
import { EVENT } from './lib/load.mjs';
import { memoryOf, until } from './lib/proc.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { ask } from './lib/redis.mjs';

const ALL = 1_000_000, KEPT = 50_000, BATCH = 1000, BATCHES_UNDER_WAY = 5;

async function send(engine, n) {
  const batch = `[${Array(BATCH).fill(EVENT)}]`, pending = () => engine.metric('moonhook_deliveries_pending');
  for (let sent = 0; sent < n; sent += BATCH) {
    await engine.api('POST', '/api/events/batch', batch);
    if (sent % (BATCHES_UNDER_WAY * BATCH) === 0)
      await until(async () => await pending() < BATCHES_UNDER_WAY * BATCH, 'room', { seconds: 60 });
  }
  await engine.settled();
}

function sample(engine) {
  const { now_kib, peak_kib } = memoryOf(engine.child.pid);
  const used = Number(/^used_memory:(\d+)/m.exec(ask(engine.socket, 'info', 'memory'))[1]);
  return { now_mib: now_kib / 1024, peak_mib: peak_kib / 1024, redis_mib: used / 2 ** 20 };
}

export async function million({ fsync }) {
  const receiver = await startReceiver(), before = await receiver.requests();
  const engine = await startEngine({ fsync, flags: ['--retention-events', String(KEPT)] });
  await engine.target('/api/webhooks', { url: receiver.url, events: ['alert'] });
  await send(engine, ALL / 10);
  const early = sample(engine);
  await send(engine, ALL - ALL / 10);
  const late = sample(engine), arrived = await receiver.requests() - before;
  await engine.stop();
  await receiver.stop();
  if (arrived !== ALL) late.missing = `${arrived} of ${ALL} arrived`;
  const row = (what, field, moonhook) => ({ what, unit: 'MiB', field, moonhook });
  return [
    row(`engine after ${ALL / 10} deliveries`, 'now_mib', early),
    row(`engine after ${ALL} deliveries`, 'now_mib', late),
    row('engine, at most', 'peak_mib', late),
    row(`Redis after ${ALL / 10} deliveries, ${KEPT} events kept`, 'redis_mib', early),
    row(`Redis after ${ALL} deliveries, ${KEPT} events kept`, 'redis_mib', late),
  ];
}
