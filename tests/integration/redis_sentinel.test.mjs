// redis_sentinel.test.mjs - Q2, Q5, Q8: a master that sentinels watch, killed under load.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { luaPlugin } from './lib/lua_plugin.mjs';
import { Producer } from './lib/producer.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Watched } from './lib/redis_sets.mjs';
import { eventually } from './lib/wait.mjs';

const servers = new Watched();
const receiver = new Receiver();
let engine;
before(async () => {
  await Promise.all([servers.start(), receiver.start()]);
  engine = await new Engine({ flags: ['--redis', servers.url, '--redis-wait', '1'] }).start();
  await engine.webhook(receiver.url);
});
after(async () => {
  await engine?.stop();
  await Promise.all([servers.stop(), receiver.stop()]);
});

const arrived = (ids) => receiver.until((all) => {
  const seen = new Set(all.map((r) => r.json.id));
  return [...ids].every((id) => seen.has(id));
}, 'every accepted event');

describe('an engine whose Redis is watched by sentinels', () => {
  test('finds the master', async () => {
    await engine.event('alert');
    await receiver.got(1);
    assert.match(await servers.master.cli('keys', 'mh:{q}:engines'), /engines/);
  });

  test('answers 503 while no replica acknowledges, also to a repeat, and delivers all the same', async () => {
    servers.replicas.forEach((r) => r.freeze());
    const body = { event: 'alert', id: 'unsafe', data: {} };
    try {
      assert.equal((await engine.post('/api/events', body)).status, 503);
      await receiver.got(1, (r) => r.json.id === 'unsafe');
      assert.equal((await engine.post('/api/events', body)).status, 503, 'no replica has it yet');
      await engine.logged(/event=redis_wait_failed/);
    } finally {
      servers.replicas.forEach((r) => r.thaw());
    }
    const got = await eventually(async () => {
      const answer = await engine.post('/api/events', body);
      return answer.status === 202 && answer;
    }, 'an answer 202');
    assert.equal(got.json.duplicate, true);
    await engine.idle();
    assert.equal(receiver.requests.filter((r) => r.json.id === 'unsafe').length, 1);
  });

  test('lets a plugin emit nothing that no replica acknowledges, and emit it once when one does', async () => {
    const emitter = await luaPlugin(engine, 'return { events.emit("emitted", {}) }',
                                    { permissions: ['events:emit'], fail: 'retry' });
    const attemptsOf = async (id) => {
      const { json } = await engine.get(`/api/events/${id}`);
      return json?.deliveries?.find((d) => d.target.id === emitter.name)?.attempts ?? [];
    };
    servers.replicas.forEach((r) => r.freeze());
    try {
      const body = { event: 'x', id: 'cause', data: { to: emitter.name } };
      assert.equal((await engine.post('/api/events', body)).status, 503);
      const [first] = await eventually(async () => (await attemptsOf('cause')).length > 0 && attemptsOf('cause'),
                                       'the first attempt');
      assert.match(first.error.message, /unavailable|reached/i);
    } finally {
      servers.replicas.forEach((r) => r.thaw());
    }
    await eventually(async () => (await attemptsOf('cause')).at(-1).status === 'delivered', 'a delivery');
    await engine.idle();
    assert.equal(receiver.requests.filter((r) => r.json.event === 'emitted').length, 1);
    await emitter.remove();
  });

  test('loses nothing that was answered 202 when the master is killed, and goes on by itself', async (t) => {
    const old = servers.master, producer = new Producer().start([engine]);
    await eventually(() => producer.accepted.size > 200, '200 accepted events');
    await old.kill();
    const master = await servers.promoted(old), promoted = Date.now();
    await eventually(() => [...producer.accepted.values()].some((at) => at > promoted), 'events accepted again');
    const resumed = [...producer.accepted.values()].find((at) => at > promoted) - promoted;
    const accepted = await producer.stop();
    await arrived(accepted.keys());
    t.diagnostic(`accepted=${accepted.size} refused=${producer.refused} repeats=`
      + `${receiver.requests.filter((r) => accepted.has(r.json.id)).length - accepted.size} resumed_ms=${resumed}`);
    assert.equal((await engine.get('/readyz')).status, 200);
    assert.match(await master.cli('role'), /^master/);
  });

  test('asks the other sentinels when one is gone', async () => {
    const [first] = servers.sentinels;
    await first.kill();
    await servers.sentinels[1].kill();
    const { id } = await engine.event('alert');
    await receiver.got(1, (r) => r.json.id === id);
  });
});

describe('a name that no sentinel knows', () => {
  test('is said in the log', async () => {
    const lost = new Engine({ flags: ['--redis', servers.url.replace('mymaster', 'nobody')] });
    const started = lost.start().catch(() => 'it never served');
    await lost.logged(/event=redis_master_unknown.*--redis/);
    lost.remove();
    assert.equal(await started, 'it never served');
  });
});
