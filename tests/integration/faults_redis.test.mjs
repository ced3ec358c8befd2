// faults_redis.test.mjs - Q1, Q5 and Q6 while Redis is broken in every way that it knows, on
// a real Redis and in the middle of a steady load: nothing that was answered 202 is lost,
// what cannot be kept is refused at once and says why, and all goes on by itself.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { green, MEASURED, peak, redBecause, RESUME_MS, rss, underFault } from './lib/fault.mjs';
import { Load } from './lib/load.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { SlowProxy } from './lib/slow_proxy.mjs';
import { eventually } from './lib/wait.mjs';

const redis = new Redis();
const proxy = new SlowProxy();
const receiver = new Receiver();
let engine;
before(async () => {
  await Promise.all([redis.start(), receiver.start()]);
  await proxy.start(redis.port);
  engine = await new Engine({ flags: ['--redis', `redis://:${redis.password}@127.0.0.1:${proxy.port}`],
                              env: MEASURED }).start();
  await engine.webhook(receiver.url);
});
after(async () => {
  await engine?.stop();
  proxy.stop();
  await Promise.all([redis.kill(), receiver.stop()]);
});

const set = (name, value) => redis.cli('config', 'set', name, value);

// A connection that Redis goes on with when it takes no other.
async function insider() {
  const socket = connect(redis.port, '127.0.0.1').unref();
  await once(socket, 'connect');
  socket.write(`AUTH ${redis.password}\r\n`);
  await once(socket, 'data');
  return socket;
}

// The next connection gives another password than the one that Redis has now.
async function changePassword(password) {
  await set('requirepass', password);
  redis.password = password;
}

describe('nothing is lost, refusals are at once, and all goes on by itself', () => {
  const fault = (name, what) => test(name, (t) => underFault(t, engine, receiver, what));

  fault('when Redis is killed and started again', { reason: /cannot be reached: .*(closed|reset|refused)/,
    begin: () => redis.kill(), end: () => redis.start() });

  fault('when Redis hangs', { reason: /no answer/,
    begin: () => redis.freeze(), end: () => redis.thaw() });

  fault('when Redis has no memory left', { reason: /OOM.*raise its maxmemory/,
    begin: () => set('maxmemory', '1mb'), end: () => set('maxmemory', '0') });

  test('a delivery that was accepted ends also while Redis has no memory left', async () => {
    receiver.reset();
    receiver.answer = async () => {
      await set('maxmemory', '1mb');
      return {};
    };
    const { id } = await engine.event('alert');
    await receiver.got(1, (r) => r.json.id === id);
    try {
      await eventually(async () => (await engine.get(`/api/events/${id}`)).json?.deliveries[0].status === 'delivered',
                       'a written record');
      assert.equal((await engine.post('/api/events', { event: 'alert', data: {} })).status, 503);
      await redBecause(engine, /OOM.*raise its maxmemory/);
    } finally {
      await set('maxmemory', '0');
    }
    await green(engine, RESUME_MS);
  });

  fault('when Redis becomes a replica', { reason: /replica.*--redis must lead to the master/,
    begin: () => redis.cli('replicaof', '127.0.0.1', '1'), end: () => redis.cli('replicaof', 'no', 'one') });

  fault('when too few replicas follow', { reason: /NOREPLICAS.*min-replicas-to-write/,
    begin: () => set('min-replicas-to-write', '1'), end: () => set('min-replicas-to-write', '0') });

  const password = redis.password;
  fault('when the password is changed', { reason: /WRONGPASS.*--redis/,
    begin: () => changePassword('another').then(() => proxy.cut()), end: () => changePassword(password) });

  let kept;
  fault('when Redis takes no more clients', { reason: /max number of clients.*raise maxclients/,
    async begin() {
      kept = await insider();
      await set('maxclients', '1');
      proxy.cut();
    },
    async end() {
      kept.write('CONFIG SET maxclients 1000\r\n');
      await once(kept, 'data');
      kept.destroy();
    } });

  // A folder where the dump has to go makes BGSAVE fail, also for root.
  const dump = join(redis.dir, 'dump.rdb');
  fault('when Redis cannot save and stops all writes', { reason: /MISCONF.*make room/,
    async begin() {
      mkdirSync(join(dump, 'full'), { recursive: true });
      await set('save', '3600 1');
      await redis.cli('bgsave');
    },
    async end() {
      rmSync(dump, { recursive: true });
      await set('save', '');
    } });

  fault('when Redis takes a while to read its data', { reason: /LOADING.*by itself/,
    async begin() {
      await redis.kill();
      await redis.launch(['--key-load-delay', '300']);
    },
    async end() {
      await set('key-load-delay', '0');
      await eventually(async () => (await redis.cli('ping').catch(() => '')) === 'PONG', 'a Redis that answers');
    } });

  fault('when each answer of Redis takes 200 ms', { slow: true,
    begin: () => { proxy.delayMs = 200; }, end: () => { proxy.delayMs = 0; } });

  fault('when each answer of Redis takes 3 s', { slow: true, holdMs: 4000,
    begin: () => { proxy.delayMs = 3000; }, end: () => { proxy.delayMs = 0; } });

  fault('when Redis stands still for 3 s', { slow: true, holdMs: 0,
    begin: () => redis.cli('debug', 'sleep', '3'), end: () => {} });

  fault('when Redis forgets its scripts', { slow: true, refuses: 0,
    begin: () => redis.cli('script', 'flush'), end: () => {} });
});

describe('a Redis that lost everything', () => {
  test('loses what was accepted and not yet delivered, and nothing that is accepted later', async (t) => {
    const load = new Load(engine, receiver, 'flushed').start();
    await load.accept(600);
    const before = rss(engine);
    await redis.cli('flushall');
    const ended = performance.now();
    const resumed = await load.acceptedSince(ended, RESUME_MS) - ended;
    await green(engine, RESUME_MS);
    await load.accept(600);
    await load.stop();
    await engine.idle();
    const later = load.lost.filter((id) => load.accepted.get(id) > ended);
    t.diagnostic(`accepted=${load.accepted.size} refused=${load.refused.length} lost=${load.lost.length} `
      + `lost_later=${later.length} repeats=${load.repeats} resumed_ms=${Math.round(resumed)} `
      + `rss_before_mib=${before >> 10} rss_peak_mib=${peak(engine) >> 10}`);
    assert.deepEqual(later, [], 'accepted after the loss and never delivered');
    for (const { status, retryAfter } of load.refused) {
      assert.equal(status, 503);
      assert.match(retryAfter, /^\d+$/);
    }
  });
});

describe('an engine that is started with a wrong password', () => {
  test('says what is wrong and where to mend it, and serves when it is mended', async () => {
    const late = new Engine({ flags: ['--redis', `redis://:wrong@127.0.0.1:${redis.port}`, '--prefix', 'late'] });
    const started = late.start();
    await late.logged(/event=redis_down.*WRONGPASS.*--redis/);
    const right = redis.password;
    await changePassword('wrong');
    await started;
    await green(late, RESUME_MS);
    await late.stop();
    await changePassword(right);
  });
});
