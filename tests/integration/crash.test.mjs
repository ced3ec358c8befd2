// crash.test.mjs - Q2: killing the engine, its Redis or a sandbox at any moment loses no
// accepted event. Ten thousand are accepted while all of them are killed again and again;
// each must arrive, at least once, and whatever comes twice comes with the same id.
// kills.test.mjs kills the engine only, and holds the number of repeats against its bound.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { Ledger } from './lib/ledger.mjs';
import { Flood, idsOf } from './lib/producer.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const EVENTS = 10_000, ARRIVAL_MS = 60_000;

const engine = new Engine({ flags: ['--plugins', new URL('plugins', import.meta.url).pathname] });
const receiver = new Receiver();
const arrived = new Ledger(), relayed = new Ledger();      // at the webhook; from the plugin

before(async () => {
  await Promise.all([engine.start(), receiver.start()]);
  receiver.keep = false;
  receiver.answer = (request) => (request.url === '/relay' ? relayed : arrived).take(request);
  await engine.webhook(receiver.url);
  const { status, text } = await engine.post('/api/plugins/install',
    { source: 'relay', config: { url: new URL('/relay', receiver.url).href } });
  assert.equal(status, 200, text);
});
after(() => Promise.all([engine.stop(), receiver.stop()]));

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
  const flood = new Flood([engine], idsOf('own', EVENTS));
  await Promise.all([breakThings(flood.accepted), flood.run()]);
  assert.equal(flood.accepted.size, EVENTS);

  await Promise.all([arrived, relayed].map((ledger) => ledger.atLeast(EVENTS, ARRIVAL_MS))).catch(() => {});
  t.diagnostic(`accepted=${EVENTS} faults=${faults.length} webhook: arrived=${arrived.size} `
    + `repeats=${arrived.repeats} plugin: arrived=${relayed.size} repeats=${relayed.repeats}`);
  assert.deepEqual(arrived.missing(flood.accepted), [], 'events were accepted and never came to the webhook');
  assert.deepEqual(relayed.missing(flood.accepted), [], 'events were accepted and the plugin never sent them');
  assert.equal(arrived.strangers + relayed.strangers, 0, 'a repeat had another id or another body');
});
