// kills.test.mjs - Q2: an engine that is killed at random moments, again and again, loses
// nothing that it accepted; it repeats at most what was under way or had no record yet, as it
// was; and it goes on by itself. `make soak` runs this with the release build and the numbers
// that the environment gives: MH_DELIVERIES, MH_KILLS; MH_SEED has the same moments again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { between, random, seed } from './lib/chance.mjs';
import { Engine } from './lib/engine.mjs';
import { Ledger } from './lib/ledger.mjs';
import { Flood, idsOf } from './lib/producer.mjs';
import { Receiver } from './lib/receiver.mjs';

const DELIVERIES = Number(process.env.MH_DELIVERIES ?? 10_000);
const KILLS = Number(process.env.MH_KILLS ?? 5);
const AHEAD = 4000;                         // accepted and not arrived: both go on all the time
const ARRIVAL_MS = 60_000 + DELIVERIES;
const RECOVERS_MS = 20_000, ANYWHERE_MS = 30, STARTS_MS = 120, AGAIN_SHARE = 0.3;
// What a crash may repeat (docs/architecture.md): the attempts under way, those whose record
// waits, and one batch of records under way.
const AT_ONCE = 64, REPEATED_MOST = AT_ONCE + 512 + 256;

const engine = new Engine({ flags: ['--webhook-concurrency', String(AT_ONCE)] });
const receiver = new Receiver();
const ledger = new Ledger();
let early = 0;                              // kills before the engine was ready

before(async () => {
  await Promise.all([engine.start(), receiver.start()]);
  receiver.keep = false;
  receiver.answer = (request) => ledger.take(request);
  await engine.webhook(receiver.url);
});
after(() => Promise.all([engine.stop(), receiver.stop()]));

// One that is just taking over what the last one held.
async function killStarting() {
  const starting = engine.start().catch(() => {});
  await sleep(between(0, STARTS_MS));
  await engine.kill();
  await starting;
  early++;
}

// How long the next engine took to make a delivery that nobody had made before. What the dead
// one had sent has come by connections that existed when the next was started.
async function killAndStart() {
  const killed = Date.now();
  await engine.kill();
  if (random() < AGAIN_SHARE) await killStarting();
  for (let n = 0; n < AT_ONCE; n++) await turn();       // Node accepts one connection in each
  const known = receiver.connections;
  await engine.start();
  await ledger.freshBehind(known, RECOVERS_MS);
  return Date.now() - killed;
}

async function killAtRandom() {
  const moments = Array.from({ length: KILLS }, () => between(0, DELIVERIES * 0.9)).sort((a, b) => a - b);
  const took = [];
  for (const moment of moments) {
    await ledger.atLeast(moment, ARRIVAL_MS);
    await sleep(between(0, ANYWHERE_MS));   // else each comes just behind an arrival
    took.push(await killAndStart());
  }
  return took.sort((a, b) => a - b);
}

test('an engine that is killed again and again loses nothing and repeats what had no record', async (t) => {
  const flood = new Flood([engine], idsOf('own', DELIVERIES),
    { mayGo: () => ledger.until(() => flood.accepted.size - ledger.size < AHEAD, 'arrivals', ARRIVAL_MS) });
  const began = Date.now();
  const [took] = await Promise.all([killAtRandom(), flood.run()]);
  await ledger.atLeast(DELIVERIES, ARRIVAL_MS).catch(() => {});
  t.diagnostic(`deliveries=${DELIVERIES} kills=${took.length}+${early} lost=${ledger.missing(flood.accepted).length} `
    + `repeats=${ledger.repeats} per_kill=${(ledger.repeats / (KILLS + early)).toFixed(1)} bound_per_kill=${REPEATED_MOST} `
    + `most_of_one_id=${ledger.most} changed=${ledger.strangers} `
    + `recovery_ms: median=${took[took.length >> 1]} slowest=${took.at(-1)} `
    + `seconds=${((Date.now() - began) / 1000).toFixed(1)} seed=${seed}`);
  assert.equal(flood.accepted.size, DELIVERIES);
  assert.deepEqual(ledger.missing(flood.accepted), [], 'accepted, and never arrived');
  assert.equal(ledger.strangers, 0, 'a repeat had another id or another body');
  assert.ok(ledger.repeats <= (KILLS + early) * REPEATED_MOST, `${ledger.repeats} repeats`);
});
