// crash.test.mjs - Q2: killing the engine, its Redis or a sandbox at any moment loses no
// accepted event. Ten thousand are accepted while all of them are killed again and again;
// each must arrive, at least once, and whatever comes twice comes with the same id.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const EVENTS = 10_000, BATCH = 100, PRODUCERS = 3, ARRIVAL_MS = 60_000;

const engine = new Engine({ flags: ['--plugins', new URL('plugins', import.meta.url).pathname] });
const receiver = new Receiver();
const arrived = new Map();                  // id -> { body, count }, at the webhook
const relayed = new Map();                  // id -> { body, count }, from the plugin
let strangers = 0;                          // requests whose id or body is not what it was

before(async () => {
  await Promise.all([engine.start(), receiver.start()]);
  receiver.answer = (request) => (request.url === '/relay' ? count(relayed, request)
                                                           : countWebhook(request));
  await engine.webhook(receiver.url);
  const { status, text } = await engine.post('/api/plugins/install',
    { source: 'relay', config: { url: new URL('/relay', receiver.url).href } });
  assert.equal(status, 200, text);
});
after(() => Promise.all([engine.stop(), receiver.stop()]));

function count(seen, { body, json }) {
  const known = seen.get(json.id);
  if (known && known.body !== body) strangers++;
  if (known) known.count++;
  else seen.set(json.id, { body, count: 1 });
  return {};
}

function countWebhook(request) {
  if (request.headers['webhook-id'] !== request.json.id) strangers++;
  return count(arrived, request);
}

const repeats = (seen) => [...seen.values()].reduce((sum, { count: n }) => sum + n - 1, 0);

// Sends events under ids of their own and gives those that were accepted. An event
// whose answer was lost or an error is not accepted; it is sent again, with its id.
async function send(ids) {
  const body = ids.map((id) => JSON.stringify({ event: 'alert', id, data: { id } })).join('\n');
  try {
    const { status, json } = await engine.send('POST', '/api/events/batch',
      { body, type: 'application/x-ndjson', ms: 10_000 });
    if (status !== 200) return [];
    return ids.filter((id, i) => json.items[i].id === id);
  } catch {
    return [];                              // it was killed in the middle
  }
}

async function produce(ids, accepted) {
  while (ids.length > 0) {
    const batch = ids.splice(0, BATCH), taken = new Set(await send(batch));
    for (const id of taken) accepted.add(id);
    ids.unshift(...batch.filter((id) => !taken.has(id)));
    if (taken.size === 0) await sleep(20);
  }
}

async function killEngine() {
  await engine.kill();
  await engine.start();
}

async function killRedis() {
  const pid = await eventually(() => engine.redisPid(), 'a managed Redis');
  process.kill(pid, 'SIGKILL');
  await eventually(() => engine.redisPid() && engine.redisPid() !== pid, 'a new Redis');
}

async function killSandbox() {
  const pid = await eventually(async () => (await engine.get('/api/plugins/installed').catch(() => null))
    ?.json?.[0]?.metrics.pid, 'a sandbox');
  process.kill(pid, 'SIGKILL');
}

const faults = [killEngine, killSandbox, killRedis, killSandbox, killEngine, killRedis, killSandbox,
  killEngine, killRedis, async () => { await killRedis(); await killEngine(); }, killSandbox, killEngine];

// One fault after the other, evenly over what is accepted.
async function breakThings(accepted) {
  for (const [i, fault] of faults.entries()) {
    const from = ((i + 1) * EVENTS) / (faults.length + 1);
    await eventually(() => accepted.size >= from, `${from} accepted events`, ARRIVAL_MS);
    await fault();
  }
}

test('every event that was accepted arrives, whatever is killed meanwhile', async (t) => {
  const accepted = new Set();
  const ids = Array.from({ length: EVENTS }, (_, n) => `own-${n}`);
  const shares = Array.from({ length: PRODUCERS }, (_, p) => ids.filter((_, n) => n % PRODUCERS === p));
  await Promise.all([breakThings(accepted), ...shares.map((share) => produce(share, accepted))]);
  assert.equal(accepted.size, EVENTS);

  const missing = (seen) => [...accepted].filter((id) => !seen.has(id)).length;
  await receiver.until(() => arrived.size === EVENTS && relayed.size === EVENTS,
    'every accepted event, twice', ARRIVAL_MS).catch(() => {});
  t.diagnostic(`accepted=${accepted.size} faults=${faults.length} webhook: arrived=${arrived.size} `
    + `repeats=${repeats(arrived)} plugin: arrived=${relayed.size} repeats=${repeats(relayed)}`);
  assert.equal(missing(arrived), 0, 'events were accepted and never came to the webhook');
  assert.equal(missing(relayed), 0, 'events were accepted and the plugin never sent them');
  assert.equal(strangers, 0, 'a repeat had another id or another body');
});
