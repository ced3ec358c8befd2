// pair.test.mjs - two engines on one Redis under load: what a dead or a sleeping one held is
// done by the other (I2, I3), an absence of Redis costs none of them anything, and trimming
// takes nothing that is due, whichever engine has it (I10).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { Flood, idsOf } from './lib/producer.mjs';
import { Redis } from './lib/redis.mjs';
import { ARRIVAL_MS, nameOf, REPEATED_MOST, Scene } from './lib/scene.mjs';
import { eventually } from './lib/wait.mjs';

const TOO_LONG_MS = 6500;                   // an engine that is silent for 5 s is dead
const redis = new Redis();
before(() => redis.start());
after(() => redis.kill());

describe('of two engines, the one', { concurrency: true }, () => {
  const EVENTS = 8000, WHEN = 2000, PAUSE_MS = 7000, SHORT_LINE = { ahead: 600 };

  test('that is killed under load loses nothing: the other does what it held', async (t) => {
    const scene = await new Scene(redis).start(2), { ledger } = scene;
    const flood = scene.flood(EVENTS, SHORT_LINE);
    await scene.atLeast(WHEN);
    const victim = scene.leave(), name = nameOf(victim), killed = Date.now();
    await victim.kill();
    await turn();
    const orphans = (await scene.heldBy(name)).filter((id) => !ledger.has(id));
    await eventually(async () => !await scene.knows(name), 'an engine that is taken over');
    const taken = Date.now() - killed;
    await ledger.until(() => orphans.length === 0 || orphans.some((id) => ledger.has(id)), 'the first orphan', ARRIVAL_MS);
    const first = Date.now() - killed;
    await ledger.until(() => orphans.every((id) => ledger.has(id)), 'every orphan', ARRIVAL_MS);
    const last = Date.now() - killed;
    await scene.arrived(flood);
    t.diagnostic(`events=${EVENTS} held=${orphans.length} taken_over_ms=${taken} first_arrived_ms=${first} last_ms=${last} repeats=${ledger.repeats}`);
    assert.ok(ledger.repeats <= REPEATED_MOST, `${ledger.repeats} repeats`);
    await scene.stop();
  });

  test('that sleeps under load is taken over, wakes up, drops its work and joins anew', async (t) => {
    const scene = await new Scene(redis).start(2), { ledger } = scene;
    const flood = scene.flood(EVENTS, SHORT_LINE);
    await scene.atLeast(WHEN);
    const sleeper = scene.leave(), name = nameOf(sleeper);
    process.kill(sleeper.pid, 'SIGSTOP');
    const slept = Date.now();
    await sleep(PAUSE_MS);
    await eventually(async () => !await scene.knows(name), 'an engine that is taken over');
    const before = ledger.repeats, slept_ms = Date.now() - slept;
    process.kill(sleeper.pid, 'SIGCONT');
    const lost = await sleeper.logged(/event=claims_lost/);
    await eventually(() => nameOf(sleeper) !== name, 'a new name');
    scene.engines.push(sleeper);
    await scene.arrived(flood);
    t.diagnostic(`events=${EVENTS} slept_ms=${slept_ms} dropped_${lost.match(/deliveries=\d+/)[0]} `
      + `repeats=${ledger.repeats} of_them_before_it_woke=${before}`);
    assert.ok(ledger.repeats <= REPEATED_MOST, `${ledger.repeats} repeats`);
    await scene.stop();
  });

  test('that slept begins no attempt before Redis told it whether it was taken over', async () => {
    const UNDER_WAY = 4;
    const scene = await new Scene(redis).start(2, { concurrency: UNDER_WAY }), { ledger, receiver } = scene;
    const [sleeper, other] = scene.engines;
    let open;
    const gate = new Promise((resolve) => { open = () => resolve({}); });
    receiver.answer = (request) => { ledger.take(request); return gate; };
    await new Flood([sleeper], idsOf('held', 100)).run();
    await scene.atLeast(UNDER_WAY);
    process.kill(sleeper.pid, 'SIGSTOP');
    receiver.answer = (request) => ledger.take(request);
    open();                                 // answers lie there when it wakes up
    await scene.atLeast(100);
    await other.idle();
    process.kill(sleeper.pid, 'SIGCONT');
    await sleeper.logged(/event=claims_lost/);
    await sleeper.idle();
    assert.equal(ledger.repeats, UNDER_WAY);
    await scene.stop();
  });
});

describe('a Redis that is away for longer than an engine may be silent', { concurrency: true }, () => {
  const EVENTS = 6000;
  const ways = [
    ['hangs', (own) => own.freeze(), (own) => own.thaw()],
    ['is killed', (own) => own.kill(), (own) => own.start()],
  ];
  for (const [what, away, back] of ways)
    test(`and ${what}, costs no engine that lives what it holds`, async (t) => {
      const own = await new Redis().start();
      const scene = await new Scene(own).start(2);
      const flood = scene.flood(EVENTS);
      await scene.atLeast(EVENTS / 3);
      await away(own);
      await sleep(TOO_LONG_MS);
      await back(own);
      await scene.arrived(flood);
      t.diagnostic(`events=${EVENTS} away_ms=${TOO_LONG_MS} repeats=${scene.ledger.repeats}`);
      assert.deepEqual(scene.logged('event=claims_lost'), []);
      assert.equal(scene.ledger.repeats, 0);
      await scene.stop();
      await own.kill();
    });
});

test('trimming under load takes no event that is due or under way, whoever dies meanwhile (I10)', async (t) => {
  const EVENTS = 6000, KEPT = 100;
  const scene = new Scene(redis, ['--retention-events', String(KEPT), '--retry-schedule', '0s,700ms']);
  const failed = new Set();                 // each tenth fails once, and is old when it is tried again
  scene.receiver.answer = (request) => {
    const { id } = request.json;
    if (!id.endsWith('7') || failed.has(id)) return scene.ledger.take(request);
    failed.add(id);
    return { status: 500 };
  };
  await scene.start(2);
  const flood = scene.flood(EVENTS);
  await scene.atLeast(EVENTS / 3);
  const victim = scene.leave();
  await victim.kill();
  await victim.start();
  scene.engines.push(victim);
  await scene.arrived(flood);
  const cancelled = scene.logged('event=delivery_cancelled');
  await eventually(async () => await victim.metric('moonhook_events_stored') === KEPT, 'what is kept', ARRIVAL_MS);
  t.diagnostic(`events=${EVENTS} kept=${KEPT} failed_once=${failed.size} repeats=${scene.ledger.repeats} `
    + `cancelled=${cancelled.length}`);
  assert.deepEqual(cancelled, []);
  assert.ok(scene.ledger.repeats <= REPEATED_MOST, `${scene.ledger.repeats} repeats`);
  await scene.stop();
});
