// changes.test.mjs - changes of one thing at the same time, over two engines: none undoes what
// another one changed, and a client can say which state it decided on.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertProblem, Engine } from './lib/engine.mjs';
import { installed, PluginFolder, resultOf } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { eventually } from './lib/wait.mjs';

const redis = new Redis();
const receiver = new Receiver();
let engines, one, other;
before(async () => {
  await Promise.all([redis.start(), receiver.start()]);
  one = await new Engine({ flags: ['--redis', redis.url] }).start();
  other = await new Engine({ flags: ['--redis', redis.url], data: one.data }).start();
  engines = [one, other];
});
after(async () => {
  await one?.stop();
  await other?.stop();
  await Promise.all([redis.kill(), receiver.stop()]);
});

const read = (engine, id) => engine.get(`/api/webhooks/${id}`);
const FIELDS = {
  description: 'changed', events: ['alert', 'sla_*'], headers: { 'x-changed': 'yes' }, rate_limit: 7,
  concurrency: 3, timeout_ms: 1234, retry_schedule: '0s,7s', ed25519: true,
  filter: [{ pointer: '/data/n', op: 'eq', value: 1 }], url: 'http://127.0.0.1:9/changed',
};

describe('200 changes of different fields of 20 webhooks, at once over two engines', () => {
  let hooks, answers;
  before(async () => {
    hooks = await Promise.all(Array.from({ length: 20 }, () => one.webhook(`${receiver.url}/first`)));
    answers = await Promise.all(hooks.flatMap(({ id }) => Object.entries(FIELDS).map(([name, value], i) =>
      engines[i % 2].patch(`/api/webhooks/${id}`, { [name]: value }))));
  });

  test('are all made', () => {
    assert.equal(answers.length, 200);
    for (const answer of answers) assert.equal(answer.status, 200, answer.text);
  });

  test('are all there in both engines', async () => {
    for (const engine of engines)
      for (const { id } of hooks)
        await eventually(async () => {
          const { json } = await read(engine, id);
          return Object.entries({ ...FIELDS, headers: { 'x-changed': '***' } }).every(([k, v]) => JSON.stringify(json[k]) === JSON.stringify(v));
        }, `every change of ${id}`);
  });

  test('leave both with the same state of each', async () => {
    for (const { id } of hooks) {
      const [a, b] = await Promise.all(engines.map((engine) => read(engine, id)));
      assert.equal(a.headers.get('etag'), b.headers.get('etag'));
      assert.equal(a.json.public_key, b.json.public_key);
    }
  });
});

test('Secrets that two engines make at once all live', async () => {
  const { id, secret } = await one.webhook(`${receiver.url}/rotated`);
  const made = await Promise.all([one, other, one].map((engine) =>
    engine.ok(200, engine.post(`/api/webhooks/${id}/rotate-secret`))));
  assert.equal(new Set([secret, ...made.map((m) => m.secret)]).size, 4);
  receiver.reset();
  await other.event('alert');
  const [{ headers }] = await receiver.got(1, (r) => r.url === '/rotated');
  assert.equal(headers['webhook-signature'].split(' ').length, 4);
  await one.ok(200, one.delete(`/api/webhooks/${id}`));
});

test('What an engine notes of an endpoint does not undo a change made elsewhere', async () => {
  const { id } = await one.webhook(`${receiver.url}/gone`);
  receiver.answer = (r) => r.url === '/gone' ? { status: 410 } : {};
  const change = other.patch(`/api/webhooks/${id}`, { description: 'kept' });
  await one.event('alert');
  await other.ok(200, change);
  for (const engine of engines)
    await eventually(async () => {
      const { json } = await read(engine, id);
      return json.active === false && json.disabled_reason && json.description === 'kept';
    }, 'an endpoint that is disabled and changed');
  receiver.answer = () => ({});
});

describe('If-Match', () => {
  const patch = (engine, id, tag, value) => engine.send('PATCH', `/api/webhooks/${id}`,
    { body: JSON.stringify(value), headers: { 'if-match': tag } });
  let id, tag;
  before(async () => {
    ({ id } = await one.webhook(receiver.url));
    tag = (await read(other, id)).headers.get('etag');
  });

  test('names the state that GET shows, in any engine', async () => {
    assert.match(tag, /^"\d+"$/);
    assert.equal((await read(one, id)).headers.get('etag'), tag);
    const got = await patch(other, id, `"7", ${tag}`, { description: 'second' });
    assert.equal(got.status, 200, got.text);
    assert.equal((await read(one, id)).headers.get('etag'), got.headers.get('etag'));
  });

  test('refuses a change that was decided on an earlier state', async () => {
    for (const engine of engines) {
      const got = await patch(engine, id, tag, { description: 'third' });
      assertProblem(got, 412);
      assert.match(got.json.detail, /read it again/);
    }
    assert.equal((await read(one, id)).json.description, 'second');
  });

  test('lets one of two win that were decided on the same state', async () => {
    const now = (await read(one, id)).headers.get('etag');
    const got = await Promise.all(engines.map((engine, i) => patch(engine, id, now, { description: `by ${i}` })));
    assert.deepEqual(got.map((g) => g.status).sort(), [200, 412]);
    const winner = got.find((g) => g.status === 200);
    for (const engine of engines) assert.equal((await read(engine, id)).json.description, winner.json.description);
  });

  test('takes any state by *, and none by what is no tag of it', async () => {
    assert.equal((await patch(one, id, '*', { description: 'any' })).status, 200);
    const now = (await read(one, id)).headers.get('etag');
    for (const no of [`W/${now}`, now.slice(0, -1), '"1"', ''])
      assertProblem(await patch(one, id, no, { description: 'none' }), 412);
  });
});

describe('a plugin that two engines change at once', () => {
  const lua = (word) => `permissions = { "alerts:read" },
    config = { a = { type = "string", default = "-" } },
    on_alert = function(_, ctx) return { a = ctx.config.a, word = "${word}" } end`;
  const plugin = new PluginFolder('both', lua('old'));
  const result = async (engine) => (await resultOf(engine, 'both', 'alert')).result;
  before(() => one.ok(200, plugin.install(one)));
  after(() => one.ok(200, one.delete('/api/plugins/both')));

  test('has the files that one read and the configuration that the other was given', async () => {
    plugin.write(lua('new'), { version: '1.1.0' });
    const got = await Promise.all([one.post('/api/plugins/both/reload'),
      other.put('/api/plugins/both/config', { a: 'given' })]);
    for (const answer of got) assert.equal(answer.status, 200, answer.text);
    for (const engine of engines) {
      await eventually(async () => (await installed(engine, 'both')).version === '1.1.0', 'the new version');
      assert.deepEqual(await result(engine), { a: 'given', word: 'new' });
    }
  });

  test('stays disabled where one disables it and the other configures it', async () => {
    const got = await Promise.all([one.post('/api/plugins/both/disable'),
      other.put('/api/plugins/both/config', { a: 'later' })]);
    for (const answer of got) assert.equal(answer.status, 200, answer.text);
    for (const engine of engines)
      await eventually(async () => {
        const { status, config } = await installed(engine, 'both');
        return status === 'stopped' && config.a === 'later';
      }, 'a stopped plugin with the configuration');
  });

  test('is installed by one of two that install it at once, and works in both', async () => {
    const twice = new PluginFolder('twice', `permissions = { "alerts:read" }, on_alert = function() return 1 end`);
    const got = await Promise.all(engines.map((engine) => twice.install(engine)));
    assert.deepEqual(got.map((g) => g.status).sort(), [200, 409], got.map((g) => g.text).join());
    for (const engine of engines) {
      await eventually(() => installed(engine, 'twice'), 'the plugin');
      assert.equal((await resultOf(engine, 'twice', 'alert')).result, 1);
    }
    await one.ok(200, one.delete('/api/plugins/twice'));
  });
});
