// redis.test.mjs - Q5: an engine against a Redis of somebody else's, which goes away,
// comes back, hangs and loses everything.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { assertProblem, Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { eventually } from './lib/wait.mjs';

const AT_ONCE_MS = 3000;                    // far less than any time-out that could hide there

const redis = new Redis();
const receiver = new Receiver();
before(() => Promise.all([redis.start(), receiver.start()]));
after(() => Promise.all([redis.kill(), receiver.stop()]));

const body = JSON.stringify({ event: 'alert', data: {} });
const tryEvent = (engine, ms = AT_ONCE_MS) => engine.send('POST', '/api/events', { body, ms });
const isReady = async (engine) => (await engine.get('/readyz')).status === 200;
const ready = (engine) => eventually(() => isReady(engine), 'a green /readyz');
const red = (engine) => eventually(async () => !await isReady(engine), 'a red /readyz');

describe("an engine with a Redis of somebody else's", () => {
  let engine;
  before(async () => {
    engine = await new Engine({ flags: ['--redis', redis.url, '--prefix', 'ours'] }).start();
    await engine.webhook(receiver.url);
  });
  after(() => engine.stop());
  beforeEach(() => receiver.reset());

  test('starts none of its own and keeps to its prefix', async () => {
    await engine.event('alert');
    await receiver.got(1);
    assert.equal(engine.redisPid(), undefined);
    const keys = (await redis.cli('keys', '*')).split('\n');
    assert.ok(keys.length > 3);
    assert.deepEqual(keys.filter((k) => !k.startsWith('ours:')), []);
  });

  test('says 503 at once while Redis is away, and goes on by itself when it is back', async () => {
    // How long as many answers take that wait for nothing, on this machine just now.
    const asked = Date.now();
    await Promise.all(Array.from({ length: 300 }, () => engine.get('/healthz')));
    const usual_ms = Date.now() - asked;
    await redis.kill();
    await red(engine);
    const began = Date.now(), logged = engine.lines.length;
    const refused = await Promise.all(Array.from({ length: 300 }, () => tryEvent(engine, usual_ms + AT_ONCE_MS)));
    for (const got of refused) {
      assertProblem(got, 503);
      assert.match(got.headers.get('retry-after'), /^\d+$/);
    }
    assertProblem(await engine.get('/readyz'), 503);
    assertProblem(await engine.get('/api/events/evt_x'), 503);
    assertProblem(await engine.post('/api/webhooks', { url: receiver.url }), 503);
    assert.equal((await engine.get('/healthz')).status, 200);
    assert.equal(await engine.metric('moonhook_redis_up'), 0);
    const lines = engine.lines.length - logged, seconds = Math.ceil((Date.now() - began) / 1000);
    assert.ok(lines <= seconds + 3, `${lines} log lines in ${seconds} s`);

    await redis.start();
    await ready(engine);
    assert.equal((await engine.get('/api/webhooks')).json.items.length, 1, 'nothing half made');
    const { id } = await engine.event('alert', { again: true });
    const [{ json }] = await receiver.got(1);
    assert.equal(json.id, id, 'what was refused is not delivered');
  });

  test('writes down later what it delivered while Redis was away', async () => {
    receiver.answer = async () => {
      await redis.kill();
      return {};
    };
    const { id } = await engine.event('alert');
    await receiver.got(1);
    await red(engine);
    receiver.answer = () => ({});
    await redis.start();
    await ready(engine);
    await eventually(async () =>
      (await engine.get(`/api/events/${id}`)).json?.deliveries[0].status === 'delivered', 'a written record');
    assert.equal(receiver.requests.length, 1);
  });

  test('takes a Redis that hangs for one that is away', async () => {
    redis.freeze();
    try {
      assertProblem(await engine.post('/api/events', JSON.parse(body)), 503);
      assertProblem(await tryEvent(engine), 503);
      assertProblem(await engine.get('/readyz'), 503);
    } finally {
      redis.thaw();
    }
    await ready(engine);
    await engine.event('alert', { n: 'after' });
    await receiver.got(1, (r) => r.json.data.n === 'after');
  });

  test('goes on after FLUSHALL, its keys and webhooks still in memory', async () => {
    await redis.cli('flushall');
    await eventually(async () => (await tryEvent(engine)).status === 202, 'an accepted event');
    await receiver.got(1);
    await ready(engine);
    const { id } = await engine.event('alert', { n: 2 });
    await receiver.got(1, (r) => r.json.id === id);
  });

  test('knows its admin key when it starts again after FLUSHALL', async () => {
    const key = engine.key;
    await redis.cli('flushall');
    await eventually(async () => (await tryEvent(engine)).status === 202, 'an accepted event');
    await engine.stop();
    await engine.start();
    assert.equal(engine.key, key);
    assert.equal((await engine.get('/api/keys')).status, 200);
  });

  test('never logs the password', () => {
    assert.ok(engine.lines.length > 0);
    assert.deepEqual(engine.lines.filter((line) => line.includes(redis.password)), []);
  });
});

describe('an engine that starts before its Redis', () => {
  test('serves as soon as Redis does', async () => {
    const late = await new Redis().reserve();
    const engine = new Engine({ flags: ['--redis', late.url] });
    const started = engine.start();
    await engine.logged(/event=redis_down/);
    await late.start();
    await started;
    await ready(engine);
    await engine.event('alert');
    await engine.stop();
    await late.kill();
  });
});

describe('two engines with one Redis', () => {
  test('share their events; what a dead one held is delivered by the other', async () => {
    const flags = ['--redis', redis.url, '--prefix', 'two'];
    const first = await new Engine({ flags }).start();
    receiver.reset();
    await first.webhook(receiver.url);
    const second = new Engine({ flags, data: first.data });
    await second.start();
    receiver.answer = () => ({ hang: true });
    const ids = await Promise.all([1, 2, 3].map((n) => first.event('alert', { n }).then((e) => e.id)));
    await receiver.got(3);
    receiver.answer = () => ({});
    await first.kill();
    const again = await receiver.got(6).then((all) => all.slice(3));
    assert.deepEqual(again.map((r) => r.headers['webhook-id']).sort(), ids.sort());
    await second.stop();
  });
});
