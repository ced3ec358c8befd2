// pair.test.mjs - several engines on one Redis under load: without a crash no event is done
// twice, however they come and go; what a dead or a sleeping one held is done by the others
// (I2, I3), and trimming takes nothing that is due, whichever engine has it (I10).
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { Engine } from './lib/engine.mjs';
import { Ledger } from './lib/ledger.mjs';
import { Flood, idsOf } from './lib/producer.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { eventually } from './lib/wait.mjs';

const ARRIVAL_MS = 60_000, AHEAD = 3000;
const AT_ONCE = 64, REPEATED_MOST = AT_ONCE + 512 + 256;     // docs/architecture.md
const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');

const redis = new Redis(), receiver = new Receiver();
let ledger, tests = 0;
before(() => Promise.all([redis.start(), receiver.start()]));
after(() => Promise.all([redis.kill(), receiver.stop()]));
beforeEach(() => {
  ledger = new Ledger();
  receiver.keep = false;
  receiver.answer = (request) => ledger.take(request);
  tests++;
});

// An engine of this test: those of another have another prefix in the same Redis.
const engineWith = (...flags) => new Engine({ env: { MOONHOOK_MASTER_KEY: MASTER_KEY },
  flags: ['--redis', redis.url, '--prefix', `t${tests}`, '--webhook-concurrency', String(AT_ONCE), ...flags] });
const started = (...flags) => engineWith(...flags).start();

const flooding = (engines, count) => {
  const flood = new Flood(engines, idsOf('own', count),
    { mayGo: () => ledger.until(() => flood.accepted.size - ledger.size < AHEAD, 'arrivals', ARRIVAL_MS) });
  flood.ended = flood.run();
  return flood;
};

// Every one of them, and that is the end of it: nobody holds or owes a delivery.
async function arrived(flood, engines) {
  await flood.ended;
  await ledger.atLeast(flood.accepted.size, ARRIVAL_MS).catch(() => {});
  assert.deepEqual(ledger.missing(flood.accepted), [], 'accepted, and never arrived');
  for (const engine of engines) await engine.idle();
  assert.equal(ledger.strangers, 0, 'a repeat had another id or another body');
}

// The name by which Redis knows an engine, and what it holds there.
const nameOf = (engine) => engine.lines.findLast((line) => line.includes('event=queue_joined'))
  .match(/engine=(\w+)/)[1];
async function heldBy(name) {
  const keys = (await redis.cli('--scan', '--pattern', `t${tests}:*own:${name}`)).split('\n').filter(Boolean);
  const members = await Promise.all(keys.map((key) => redis.cli('smembers', key)));
  return members.flatMap((text) => text.split('\n')).filter(Boolean).map((key) => key.match(/\/(.*)~/)[1]);
}

describe('engines that come and go in order', () => {
  // `living`: how many serve at any time.
  const cases = [['two engines', 2, []], ['three engines', 3, []], ['two engines of three workers', 2, ['--workers', '3']]];
  for (const [what, living, flags] of cases)
    test(`${what}: no event is done twice`, async (t) => {
      const EVENTS = 20_000, CHANGES = 6;
      const engines = await Promise.all(Array.from({ length: living }, () => started(...flags)));
      await engines[0].webhook(receiver.url);
      const flood = flooding(engines, EVENTS), began = Date.now();
      for (let n = 1; n <= CHANGES; n++) {
        await ledger.atLeast(n * EVENTS / (CHANGES + 2), ARRIVAL_MS);
        engines.push(await started(...flags));
        await engines.shift().stop();
      }
      await arrived(flood, engines);
      t.diagnostic(`events=${EVENTS} engines=${living} ${flags.join(' ')} joined=${living + CHANGES} left=${CHANGES} `
        + `repeats=${ledger.repeats} seconds=${((Date.now() - began) / 1000).toFixed(1)}`);
      assert.equal(ledger.repeats, 0, 'an event was done twice');
      await Promise.all(engines.map((engine) => engine.stop()));
    });
});

test('what an engine held that is killed under load is done by the other', async (t) => {
  const [one, other] = [await started(), await started()];
  await one.webhook(receiver.url);
  const engines = [one, other], flood = flooding(engines, 20_000);
  await ledger.atLeast(5000, ARRIVAL_MS);
  const name = nameOf(one), killed = Date.now();
  engines.shift();
  await one.kill();
  await turn();
  const orphans = (await heldBy(name)).filter((id) => !ledger.has(id));
  await ledger.until(() => orphans.length === 0 || orphans.some((id) => ledger.has(id)), 'the first orphan', ARRIVAL_MS);
  const first = Date.now() - killed;
  await ledger.until(() => orphans.every((id) => ledger.has(id)), 'every orphan', ARRIVAL_MS);
  const last = Date.now() - killed;
  await arrived(flood, [other]);
  t.diagnostic(`held=${orphans.length} first_taken_over_ms=${first} last_ms=${last} repeats=${ledger.repeats}`);
  assert.ok(ledger.repeats <= REPEATED_MOST, `${ledger.repeats} repeats`);
  await other.stop();
});

test('an engine that sleeps for seven seconds is taken over, wakes up, and does nothing twice '
     + 'but what was under way', async (t) => {
  const SLEEP_MS = 7000;
  const [one, other] = [await started(), await started()];
  await one.webhook(receiver.url);
  const engines = [one, other], flood = flooding(engines, 20_000);
  await ledger.atLeast(5000, ARRIVAL_MS);
  engines.shift();
  process.kill(one.pid, 'SIGSTOP');
  const slept = Date.now(), name = nameOf(one);
  await sleep(SLEEP_MS);
  const before = ledger.repeats;
  process.kill(one.pid, 'SIGCONT');
  await one.logged(/event=claims_lost/);
  await eventually(() => nameOf(one) !== name, 'a new name');
  engines.push(one);
  await arrived(flood, [one, other]);
  t.diagnostic(`slept_ms=${SLEEP_MS} repeats=${ledger.repeats} before_it_woke=${before} `
    + `${one.lines.findLast((line) => line.includes('claims_lost')).match(/deliveries=\d+/)[0]}_lost `
    + `seconds=${((Date.now() - slept) / 1000).toFixed(1)}`);
  assert.ok(ledger.repeats <= REPEATED_MOST, `${ledger.repeats} repeats`);
  await Promise.all([one.stop(), other.stop()]);
});

test('an engine that slept begins no attempt before Redis told it whether it was taken over', async () => {
  const SLEEP_MS = 7000, EVENTS = 100, UNDER_WAY = 4;
  const [one, other] = [await started(), await started()];
  const flood = new Flood([one], idsOf('held', EVENTS));
  let open;
  const gate = new Promise((resolve) => { open = () => resolve({}); });
  receiver.answer = (request) => { ledger.take(request); return gate; };
  await one.webhook(receiver.url, { concurrency: UNDER_WAY });
  await flood.run();
  await ledger.atLeast(UNDER_WAY);
  process.kill(one.pid, 'SIGSTOP');
  receiver.answer = (request) => ledger.take(request);
  open();                                   // answers lie there when it wakes up
  await sleep(SLEEP_MS);
  await ledger.atLeast(EVENTS);
  process.kill(one.pid, 'SIGCONT');
  await one.logged(/event=claims_lost/);
  await Promise.all([one.idle(), other.idle()]);
  assert.equal(ledger.repeats, UNDER_WAY);
  await Promise.all([one.stop(), other.stop()]);
});

describe('a Redis that is away for longer than an engine may be silent', () => {
  const AWAY_MS = 7000;
  const ways = [
    ['hangs', () => redis.freeze(), () => redis.thaw()],
    ['is killed', () => redis.kill(), () => redis.start()],
  ];
  for (const [what, away, back] of ways)
    test(`and ${what}, costs no engine that lives what it holds`, async (t) => {
      const engines = [await started(), await started()];
      await engines[0].webhook(receiver.url);
      const flood = flooding(engines, 8000);
      await ledger.atLeast(3000, ARRIVAL_MS);
      await away();
      await sleep(AWAY_MS);
      await back();
      await arrived(flood, engines);
      const lost = engines.flatMap((e) => e.lines).filter((line) => line.includes('event=claims_lost'));
      t.diagnostic(`away_ms=${AWAY_MS} repeats=${ledger.repeats}`);
      assert.deepEqual(lost, []);
      assert.equal(ledger.repeats, 0);
      await Promise.all(engines.map((engine) => engine.stop()));
    });
});

test('trimming under load takes no event that is due or under way, whoever dies meanwhile (I10)', async (t) => {
  const EVENTS = 6000, KEPT = 100;
  const flags = ['--retention-events', String(KEPT), '--retry-schedule', '0s,700ms'];
  const engines = [await started(...flags), await started(...flags)], all = [...engines];
  const failed = new Set();                 // each tenth fails once, and is old when it is tried again
  receiver.answer = (request) => {
    const { id } = request.json;
    if (!id.endsWith('7') || failed.has(id)) return ledger.take(request);
    failed.add(id);
    return { status: 500 };
  };
  await engines[0].webhook(receiver.url);
  const flood = flooding(engines, EVENTS);
  await ledger.atLeast(EVENTS / 3, ARRIVAL_MS);
  const [victim] = engines.splice(0, 1);
  await victim.kill();
  await victim.start();
  engines.push(victim);
  await arrived(flood, engines);
  const cancelled = all.flatMap((e) => e.lines).filter((line) => line.includes('event=delivery_cancelled'));
  await eventually(async () => await victim.metric('moonhook_events_stored') === KEPT, 'what is kept', ARRIVAL_MS);
  t.diagnostic(`events=${EVENTS} kept=${KEPT} failed_once=${failed.size} repeats=${ledger.repeats} cancelled=${cancelled.length}`);
  assert.deepEqual(cancelled, []);
  assert.ok(ledger.repeats <= REPEATED_MOST, `${ledger.repeats} repeats`);
  await Promise.all(engines.map((engine) => engine.stop()));
});
