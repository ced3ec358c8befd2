// plugin_leftovers.test.mjs - what a plugin stored goes with it, whatever is killed between its removal
// and that of its storage, and between what its setup stores and its installation.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { luaPlugin } from './lib/lua_plugin.mjs';
import { installed, PluginFolder } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { RedisProxy } from './lib/redis_proxy.mjs';
import { eventually } from './lib/wait.mjs';

const redis = new Redis(), proxy = new RedisProxy(), receiver = new Receiver();
let engine, count = 0;

before(async () => {
  await Promise.all([redis.start(), receiver.start()]);
  await proxy.start(redis);
});
after(async () => {
  proxy.stop();
  await Promise.all([redis.kill(), receiver.stop()]);
});
beforeEach(async () => {
  receiver.reset();
  engine = new Engine({ flags: ['--redis', proxy.url, '--plugin-retry-schedule', '0s'] });
  await engine.start();
});
afterEach(() => engine.stop());

const keysOf = (name) => redis.cli('--scan', '--pattern', `*{p:${name}}*`);
const notes = () => redis.cli('HKEYS', 'mh:{c}:left:plugins');
const ready = () => eventually(async () => (await engine.get('/readyz')).status === 200, 'an engine with its Redis');
const forgotten = (name) => eventually(async () => await keysOf(name) === '' && await notes() === '',
                                       `nothing of ${name} and no note`);

async function keeper() {
  const plugin = await luaPlugin(engine, 'store.set(data.key, 1) return { store.get("old") or "none" }',
    { name: `leaver-${++count}`, permissions: ['storage'] });
  for (const org_id of ['acme', 'other', 'default']) await plugin.value({ key: 'old' }, { org_id });
  assert.notEqual(await keysOf(plugin.name), '');
  return plugin;
}

describe('what a plugin stored, when Redis is killed after its removal,', () => {
  test('is forgotten when Redis is back', async () => {
    const { name } = await keeper();
    const killed = proxy.beforeNext('store_forget.lua', () => redis.kill());
    await engine.ok(200, engine.delete(`/api/plugins/${name}`));
    await killed;
    await engine.logged(new RegExp(`event=store_not_forgotten plugin=${name}`));
    await redis.start();
    assert.notEqual(await keysOf(name), '', 'it was there');
    await forgotten(name);
    assert.equal(await installed(engine, name), undefined);
  });

  test('is not there for the next plugin of that name, however soon', async () => {
    const { name, folder, ask } = await keeper();
    const killed = proxy.beforeNext('store_forget.lua', () => redis.kill());
    await engine.ok(200, engine.delete(`/api/plugins/${name}`));
    await killed;
    await redis.start();
    await ready();
    await eventually(async () => (await folder.install(engine)).status === 200, 'an install');
    const { result } = await ask({ key: 'new' });
    assert.deepEqual(result, ['none']);
    await eventually(async () => await notes() === '', 'no note');
    assert.notEqual(await keysOf(name), '', 'what the next one stores stays');
  });

  test('is forgotten also where the answer to the removal was lost', async () => {
    const { name } = await keeper();
    const lost = proxy.answerLost('put.lua');
    assert.equal((await engine.delete(`/api/plugins/${name}`)).status, 503);
    await lost;
    await eventually(async () => await installed(engine, name) === undefined, 'the removal, heard of');
    await forgotten(name);
  });

  test('is forgotten by the next engine when this one is killed as well', async () => {
    const { name } = await keeper();
    const killed = proxy.beforeNext('store_forget.lua', () => Promise.all([redis.kill(), engine.kill()]));
    engine.delete(`/api/plugins/${name}`).catch(() => null);
    await killed;
    await redis.start();
    assert.notEqual(await keysOf(name), '', 'it was there');
    assert.equal(await notes(), name);
    await engine.start();
    await forgotten(name);
  });

  test('is forgotten by another engine that lives', async () => {
    const { name } = await keeper();
    const other = new Engine({ flags: ['--redis', redis.url], data: engine.data });
    await other.start();
    const killed = proxy.beforeNext('store_forget.lua', () => engine.kill());
    engine.delete(`/api/plugins/${name}`).catch(() => null);
    await killed;
    await forgotten(name);
    await other.stop();
    await engine.start();
  });
});

describe('a hook of a version before, on another engine,', () => {
  test('stores nothing after the plugin is removed', async () => {
    const other = await new Engine({ flags: ['--redis', redis.url], data: engine.data }).start();
    let answer;
    receiver.answer = () => new Promise((resolve) => { answer = () => resolve({}); });
    const lua = `permissions = { "events:read", "storage", "http:127.0.0.1:${receiver.port}" }, fail = "drop",
      limits = { timeout_ms = 9000 }, on_event = function() http.get("${receiver.url}/") store.set("late", 1) end,`;
    const requires = { before: 'local store, http = require "moonhook.store", require "moonhook.http"' };
    const folder = new PluginFolder(`late-${++count}`, lua, requires);
    await engine.ok(200, folder.install(engine));
    await eventually(() => installed(other, folder.name), 'the plugin on the other engine');
    await other.event('x');
    await receiver.got(1);
    folder.write(lua, { ...requires, version: '1.0.1' });
    await other.ok(200, other.post(`/api/plugins/${folder.name}/reload`));
    await eventually(async () => (await engine.delete(`/api/plugins/${folder.name}`)).status === 200,
                     'a removal, when this engine has the new version as well');
    assert.equal(await installed(other, folder.name), undefined);
    answer();
    await other.idle();
    assert.equal(await keysOf(folder.name), '');
    await other.stop();
  });
});

describe('what the setup of an install stored', () => {
  function stillborn(rest) {
    return new PluginFolder(`stillborn-${++count}`, `permissions = { "events:read", "storage",
        "http:127.0.0.1:${receiver.port}" }, limits = { timeout_ms = 9000 },
      setup = function() store.set("a", 1) ${rest} end, on_event = function() end,`,
      { before: 'local store, http = require "moonhook.store", require "moonhook.http"' });
  }

  test('is forgotten by the next engine when this one is killed in the middle', async () => {
    receiver.answer = () => ({ hang: true });
    const folder = stillborn(`http.get("${receiver.url}/hang")`);
    folder.install(engine).catch(() => null);
    await receiver.got(1);
    assert.notEqual(await keysOf(folder.name), '');
    assert.equal(await notes(), folder.name);
    await engine.kill();
    await engine.start();
    await forgotten(folder.name);
  });

  test('is forgotten when the install fails and Redis is lost then', async () => {
    const folder = stillborn('error("no")');
    const killed = proxy.beforeNext('store_forget.lua', () => redis.kill());
    assert.equal((await folder.install(engine)).status, 400);
    await killed;
    await redis.start();
    await forgotten(folder.name);
  });

  test('stays when the install succeeds, without a note', async () => {
    const folder = stillborn('');
    await engine.ok(200, folder.install(engine));
    assert.notEqual(await keysOf(folder.name), '');
    assert.equal(await notes(), '');
    await engine.ok(200, engine.delete(`/api/plugins/${folder.name}`));
    assert.equal(await keysOf(folder.name), '');
    assert.equal(await notes(), '');
  });
});
