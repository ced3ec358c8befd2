// engines.test.mjs - two engines with one Redis agree: what one of them is told, the other
// knows when the answer is there, without a start in between.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { installed, PluginFolder, resultOf } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { eventually } from './lib/wait.mjs';

const redis = new Redis();
const receiver = new Receiver();
let one, other;
before(async () => {
  await Promise.all([redis.start(), receiver.start()]);
  one = await new Engine({ flags: ['--redis', redis.url] }).start();
  other = await new Engine({ flags: ['--redis', redis.url], data: one.data }).start();
});
after(async () => {
  await one?.stop();
  await other?.stop();
  await Promise.all([redis.kill(), receiver.stop()]);
});
beforeEach(() => receiver.reset());

const webhookOf = async (engine, id) => (await engine.get(`/api/webhooks/${id}`)).json;

describe('a webhook', () => {
  let hook;
  before(async () => { hook = await one.webhook(`${receiver.url}/first`); });

  test('that one engine made gets the events of the other, signed with its secret', async () => {
    const { deliveries } = await other.event('alert');
    assert.equal(deliveries, 1);
    await receiver.got(1, (r) => r.url === '/first');
  });

  test('goes where the other engine was told that it goes', async () => {
    await other.ok(200, other.patch(`/api/webhooks/${hook.id}`, { url: `${receiver.url}/second` }));
    await one.event('alert');
    await receiver.got(1, (r) => r.url === '/second');
  });

  test('that was removed is gone from both', async () => {
    await one.ok(200, one.delete(`/api/webhooks/${hook.id}`));
    assert.equal((await other.get(`/api/webhooks/${hook.id}`)).status, 404);
    assert.equal((await other.event('alert')).deliveries, 0);
  });
});

describe('an API key', () => {
  test('opens both engines, and none when it was revoked', async () => {
    const { key, id } = await one.ok(201, one.post('/api/keys', { name: 'shared', scopes: ['events:read'] }));
    const there = other.client(key);
    assert.equal((await there.get('/api/events/evt_none')).status, 404);
    await one.ok(200, one.delete(`/api/keys/${id}`));
    assert.equal((await there.get('/api/events/evt_none')).status, 401);
  });
});

describe('a plugin', () => {
  const plugin = new PluginFolder('shared', `permissions = { "alerts:read" },
    config = { word = { type = "string", default = "first" } },
    on_alert = function(_, ctx) return { word = ctx.config.word } end`);
  const said = async (engine) => (await resultOf(engine, 'shared', 'alert')).result;

  test('that one engine installed runs in the other', async () => {
    await one.ok(200, plugin.install(one));
    assert.deepEqual(await said(other), { word: 'first' });
    assert.deepEqual(await said(one), { word: 'first' });
  });

  test('has the configuration that the other engine was given', async () => {
    await other.ok(200, other.put('/api/plugins/shared/config', { word: 'second' }));
    await eventually(async () => (await installed(one, 'shared')).config.word === 'second', 'a configuration');
    assert.deepEqual(await said(one), { word: 'second' });
  });

  test('stops and goes on where the other engine says so', async () => {
    await one.ok(200, one.post('/api/plugins/shared/disable'));
    await eventually(async () => (await installed(other, 'shared')).status === 'stopped', 'a stopped plugin');
    await one.ok(200, one.post('/api/plugins/shared/enable'));
    await eventually(async () => (await installed(other, 'shared')).status !== 'stopped', 'a plugin that goes on');
    assert.deepEqual(await said(other), { word: 'second' });
  });

  test('runs the files that the other engine read again', async () => {
    plugin.write(`permissions = { "alerts:read" }, config = { word = { type = "string" } },
      on_alert = function() return { word = "third" } end`,
      { version: '1.1.0' });
    await one.ok(200, one.post('/api/plugins/shared/reload'));
    await eventually(async () => (await installed(other, 'shared')).version === '1.1.0', 'the new version');
    assert.deepEqual(await said(other), { word: 'third' });
  });

  test('that was uninstalled is gone from both', async () => {
    await other.ok(200, other.delete('/api/plugins/shared'));
    assert.equal(await installed(one, 'shared'), undefined);
  });
});

describe('an engine whose other is killed', () => {
  test('waits for it in vain only for a moment', async () => {
    await other.kill();
    const { id } = await one.webhook(receiver.url);
    await other.start();
    assert.ok((await webhookOf(other, id)).url);
    await one.ok(200, one.delete(`/api/webhooks/${id}`));
    assert.equal((await other.get(`/api/webhooks/${id}`)).status, 404);
  });
});

describe('a Redis that lost everything', () => {
  test('takes nothing from the memory of either, and what is made then is known to both', async () => {
    const kept = await one.webhook(receiver.url);
    await redis.cli('flushall');
    await eventually(async () => (await other.post('/api/events', { event: 'alert', data: {} })).status === 202,
      'an accepted event');
    const made = await one.webhook(`${receiver.url}/made`);
    await eventually(async () => (await webhookOf(other, made.id)).url, 'what was made since');
    assert.ok((await webhookOf(other, kept.id)).url);
    assert.ok((await webhookOf(one, kept.id)).url);
  });
});
