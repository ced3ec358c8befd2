// faults_machine.test.mjs - Q1, Q5 and Q6 while the machine fails the engine and its own
// Redis: no room on the disk, a clock that steps, no descriptors left. The load and what it
// is held to are those of faults_redis.test.mjs.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Clock, HOUR_MS } from './lib/clock.mjs';
import { Engine } from './lib/engine.mjs';
import { MEASURED, peak, RESUME_MS, rss, underFault } from './lib/fault.mjs';
import { Load } from './lib/load.mjs';
import { cpuMsOf, descriptorLimitOf, descriptorsOf, limitDescriptors } from './lib/process.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { SmallDisk } from './lib/small_disk.mjs';
import { eventually } from './lib/wait.mjs';

const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

for (const fsync of ['always', 'everysec'])
  describe(`an engine whose own Redis has a full disk, with --redis-fsync ${fsync}`, () => {
    let disk, engine;
    before(async () => {
      disk = new SmallDisk(48);
      engine = await new Engine({ flags: ['--redis-fsync', fsync], data: disk.path, env: MEASURED }).start();
      await engine.webhook(receiver.url);
    });
    after(async () => {
      await engine?.stop();
      disk?.remove();
    });

    test(`refuses events, says so, and goes on when there is room (${fsync})`, (t) =>
      underFault(t, engine, receiver, { reason: /the disk is full: make room|No space left.*make room/, transitions: 7,
        begin: () => disk.fill(), end: () => disk.makeRoom() }));
  });

describe('an engine and a Redis whose clock is set', () => {
  const RETRY_MS = 2000, JITTER = 0.1, EARLY_MS = 50;
  let clock, redis, engine;
  before(async () => {
    clock = new Clock();
    redis = await new Redis([], clock.env).start();
    engine = await start();
    await engine.webhook(receiver.url);
  });
  after(async () => {
    await engine?.stop();
    await redis?.kill();
  });

  // Engines that share a Redis share their master key, too: it is in `data`.
  const start = (data) => new Engine({ flags: ['--redis', redis.url, '--retry-schedule', '0s,2s,2s,2s'], data,
    env: { ...clock.env, ASAN_OPTIONS: `${clock.env.ASAN_OPTIONS}:${MEASURED.ASAN_OPTIONS}` } }).start();

  // One event in five is refused by the receiver at first; when it was, and when it came again.
  function retried(load) {
    const attempts = new Map();
    load.answer = ({ id }) => {
      const mine = attempts.get(id) ?? [];
      attempts.set(id, [...mine, performance.now()]);
      return Number(id.split('-').at(-1)) % 5 === 0 && mine.length === 0 ? { status: 500 } : {};
    };
    return () => [...attempts.values()].filter((times) => times.length > 1);
  }

  // What is planned after the step keeps its distance; what was planned before, too, if the
  // clock did not say that its time has come.
  async function stepUnderLoad(t, from, to) {
    let again, stepped;
    clock.setTo(from);
    const load = await underFault(t, engine, receiver, { slow: true, refuses: 0, holdMs: 2500,
      prepare: (it) => { again = retried(it); },
      begin: () => { stepped = performance.now(); clock.setTo(to); }, end: () => {} });
    const waits = again().map(([first, second]) => ({ first, waited: second - first }));
    const before = waits.filter(({ first }) => first > stepped - RETRY_MS && first < stepped).length;
    const early = waits.filter(({ first, waited }) =>
      waited < RETRY_MS * (1 - JITTER) - EARLY_MS && (to < from || first > stepped));
    t.diagnostic(`retried=${waits.length} planned_before=${before} early=${early.length} `
      + `longest_ms=${Math.round(Math.max(...waits.map((w) => w.waited)))}`);
    assert.ok(before > 0, 'no retry was waiting when the clock was set');
    assert.deepEqual(early, [], 'tried again before its time');
    return load;
  }

  test('lose nothing, and try again in time, when it goes back by an hour', (t) => stepUnderLoad(t, 0, -HOUR_MS));

  test('lose nothing, and try again in time, when it goes on by an hour', (t) => stepUnderLoad(t, -HOUR_MS, 0));

  test('take over what a dead engine held, though it seems to have spoken in an hour', async () => {
    const other = await start(engine.data);
    receiver.reset();
    receiver.answer = () => ({ hang: true });
    const ids = await Promise.all([1, 2, 3].map((n) => other.event('alert', { n }).then(({ id }) => id)));
    await receiver.got(3);
    receiver.answer = () => ({});
    await other.kill();
    clock.setTo(-HOUR_MS);
    for (const id of ids) await receiver.until((all) => all.filter((r) => r.json.id === id).length > 1, 'it again');
  });

  test('do not take each other for dead when it goes on by an hour', async (t) => {
    clock.setTo(-HOUR_MS);
    const other = await start(engine.data);
    t.after(() => other.stop());
    await underFault(t, engine, receiver, { slow: true, refuses: 0, begin: () => clock.setTo(0), end: () => {} });
    const lost = [engine, other].flatMap(({ lines }) => lines.filter((line) => /event=claims_lost/.test(line)));
    assert.deepEqual(lost, []);
  });
});

describe('an engine that has no file descriptor left', () => {
  const HELD = 150, LOOKED_AT = 20, LOOKED_MS = 2000, RESTING_MS = 1000;
  const redis = new Redis(), newcomer = new Receiver(), held = [];
  let engine;
  before(async () => {
    await Promise.all([redis.start(), newcomer.start()]);
    engine = await new Engine({ flags: ['--redis', redis.url], env: MEASURED }).start();
    await engine.webhook(receiver.url, { events: ['alert'] });
    await engine.webhook(newcomer.url, { events: ['late'] });
  });
  after(async () => {
    held.forEach((socket) => socket.destroy());
    await engine?.stop();
    await Promise.all([redis.kill(), newcomer.stop()]);
  });

  // Clients that begin to ask and never come to an end.
  async function hold(count) {
    for (let i = 0; i < count; i++) {
      const socket = connect(new URL(engine.url).port, '127.0.0.1').on('error', () => {}).unref();
      await once(socket, 'connect');
      socket.write('POST /api/events HTTP/1.1\r\nHost: x\r\n');
      held.push(socket);
    }
  }

  const newClient = () => fetch(`${engine.url}/healthz`, { headers: { connection: 'close' } });

  test('serves whom it knows, refuses others at once, rests, and takes all when there are some', async (t) => {
    const load = new Load(engine, receiver, 'descriptors').start(), limit = descriptorLimitOf(engine.pid);
    await load.accept(600);
    const before = rss(engine);
    await hold(HELD);
    limitDescriptors(engine.pid, descriptorsOf(engine.pid));
    const refused = await eventually(async () => {
      await hold(HELD / 10);
      const got = await newClient();
      return got.status === 429 && got;
    }, 'a new client that is refused');
    assert.match(refused.headers.get('retry-after'), /^\d+$/);
    assert.equal((await refused.json()).status, 429);
    newcomer.answer = receiver.answer;
    load.type = (line) => (line === 0 ? 'late' : 'alert');
    await load.accept(600);
    await load.stop();
    assert.equal(load.refused.length, 0);
    const waiting = load.lost;
    await redis.cli('client', 'kill', 'type', 'normal');
    await eventually(() => engine.lines.filter((line) => /event=queue_joined/.test(line)).length > 1, 'Redis again',
                     RESUME_MS);
    const began = cpuMsOf(engine.pid);
    await sleep(LOOKED_MS);
    const used = cpuMsOf(engine.pid) - began;

    const raised = performance.now();
    limitDescriptors(engine.pid, limit);
    await eventually(async () => (await newClient()).status === 200, 'a client that is accepted', RESUME_MS);
    const resumed = performance.now() - raised;
    await load.delivered();
    t.diagnostic(`accepted=${load.accepted.size} refused=${load.refused.length} lost=${load.lost.length} `
      + `repeats=${load.repeats} waiting=${waiting.length} resumed_ms=${Math.round(resumed)} idle_cpu_ms=${used} in_ms=${LOOKED_MS} `
      + `rss_before_mib=${before >> 10} rss_peak_mib=${peak(engine) >> 10}`);
    assert.ok(used < RESTING_MS, `${used} ms of CPU in ${LOOKED_MS} ms`);
    for (const id of waiting.slice(0, LOOKED_AT)) {
      const [delivery] = (await engine.get(`/api/events/${id}`)).json.deliveries;
      assert.equal(delivery.attempts.length, 1, 'an attempt that had no descriptor is not counted');
    }
    assert.ok(engine.lines.some((line) => /event=descriptors_exhausted.*ulimit -n/.test(line)));
  });
});
