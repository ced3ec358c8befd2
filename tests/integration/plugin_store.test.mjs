// plugin_store.test.mjs - moonhook.store: what a plugin keeps is its own, of one org, within
// its quota, and gone with the plugin.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { luaPlugin } from './lib/lua_plugin.mjs';
import { PluginFolder } from './lib/plugins.mjs';
import { Redis } from './lib/redis.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const redis = new Redis();
let engine, plugin;
const more = [];

// The event says which function to call, with what; nil is written as { nil: true }.
const BODY = `
  local list, n = {}, 0
  for i, v in ipairs(data.args) do
    n = i
    if type(v) == "table" and v["nil"] then v = nil end
    list[i] = v
  end
  local first, second = store[data.call](unpack(list, 1, n))
  return { first == nil and json.null or first, second }`;
const NIL = { nil: true };

const keeper = (options = {}) => luaPlugin(engine, BODY, { permissions: ['storage'], ...options });

before(async () => {
  await redis.start();
  engine = new Engine({ flags: ['--redis', redis.url, '--plugin-retry-schedule', '0s,10ms,10ms'] });
  await engine.start();
  plugin = await keeper();
});
after(async () => {
  await engine.stop();
  await redis.kill();
});
afterEach(async () => { for (const p of more.splice(0)) await p.remove(); });

async function another(options) {
  const made = await keeper(options);
  more.push(made);
  return made;
}

const on = (which, org) => async (call, ...args) =>
  (await which.value({ call, args }, org ? { org_id: org } : {}))[0];
const call = (...args) => on(plugin)(...args);
const rest = async (name, ...args) => (await plugin.value({ call: name, args }))[1];

async function refusal(which, name, ...args) {
  const row = await which.ask({ call: name, args });
  assert.ok(row.error, `an error was expected, not ${JSON.stringify(row.result)}`);
  return { ...row.error, event: row.event };
}

describe('a value', () => {
  for (const value of [0, -1.5, 0.1, 1e300, 9007199254740991, '', 'ü "quoted"\n', true, false, {}, [],
                       { a: { b: [1, null, {}, []] } }, null])
    test(`comes back as it was: ${JSON.stringify(value)}`, async () => {
      await call('set', 'v', value);
      assert.deepEqual(await call('get', 'v'), value);
    });

  test('that was never set or was deleted is nil', async () => {
    assert.equal(await call('get', 'never'), null);
    await call('set', 'gone', 1);
    assert.equal(await call('delete', 'gone'), true);
    assert.equal(await call('delete', 'gone'), false);
    assert.equal(await call('get', 'gone'), null);
  });

  test('lives as long as it was given', async () => {
    await call('set', 'short', 1, { ttl_s: 0.05 });
    await call('set', 'long', 2, { ttl_s: 3600 });
    await eventually(async () => await call('get', 'short') === null, 'the end of a value');
    assert.equal(await call('get', 'long'), 2);
  });

  test('that is set again without an end has none', async () => {
    await call('set', 'renewed', 1, { ttl_s: 0.05 });
    await call('set', 'renewed', 2);
    await call('set', 'clock', 1, { ttl_s: 0.1 });
    await eventually(async () => await call('get', 'clock') === null, 'the end of another');
    assert.equal(await call('get', 'renewed'), 2);
  });

  test('of more than 64 KiB is refused, and nothing is changed', async () => {
    const big = await another();
    await on(big)('set', 'k', 'x'.repeat(65_534));
    const { message } = await refusal(big, 'set', 'k', 'x'.repeat(65_535));
    assert.match(message, /^plugin\.lua:\d+: store\.set: a value may have 64 KiB as JSON$/);
    assert.equal((await on(big)('get', 'k')).length, 65_534);
  });

  for (const [what, args, sentence] of [
    ['nil as a value', ['k', NIL], /store\.set: a value was expected/],
    ['an unknown option', ['k', 1, { ttl: 5 }], /there is no option 'ttl'/],
    ['a time to live of 0', ['k', 1, { ttl_s: 0 }], /ttl_s must be more than 0/],
    ['a key that is no string', [5, 1], /the key must be a string, not a number/],
  ])
    test(`store.set refuses ${what} at the plugin's line`, async () => {
      const { message } = await refusal(plugin, 'set', ...args);
      assert.match(message, sentence);
      assert.match(message, /^plugin\.lua:\d+: /);
    });
});

describe('store.incr', () => {
  test('counts from 0, by any whole number', async () => {
    assert.deepEqual([await call('incr', 'n'), await call('incr', 'n', 5), await call('incr', 'n', -8)], [1, 6, -2]);
    assert.equal(await call('get', 'n'), -2);
  });

  test('loses no count when many count at once', async () => {
    const got = await Promise.all(Array.from({ length: 40 }, () => call('incr', 'many')));
    assert.deepEqual(got.sort((a, b) => a - b), Array.from({ length: 40 }, (_, i) => i + 1));
  });

  test('does not put off the end of what it counts', async () => {
    await call('incr', 'window', 1, { ttl_s: 0.3 });
    await eventually(async () => await call('incr', 'window', 1, { ttl_s: 0.3 }) === 1, 'a new window');
  });

  test('of something else is refused, as is a sum past 2^53', async () => {
    await call('set', 'word', 'one');
    assert.match((await refusal(plugin, 'incr', 'word')).message, /holds something other than a whole number/);
    await call('set', 'most', 9007199254740991);
    assert.match((await refusal(plugin, 'incr', 'most')).message, /larger than 2\^53/);
    assert.equal(await call('get', 'most'), 9007199254740991);
    assert.match((await refusal(plugin, 'incr', 'n', 0.5)).message, /the step must be a whole number/);
  });
});

describe('store.cas', () => {
  test('takes what is free, once', async () => {
    const got = await Promise.all(Array.from({ length: 10 }, (_, i) => call('cas', 'lock', NIL, i)));
    assert.equal(got.filter(Boolean).length, 1);
  });

  test('compares values, however their members are ordered', async () => {
    await call('set', 'state', { b: 1, a: [0.1, { y: 1, x: 2 }] });
    assert.equal(await call('cas', 'state', { a: [0.1, { x: 2, y: 2 }], b: 1 }, 'no'), false);
    assert.equal(await call('cas', 'state', { a: [0.1, { x: 2, y: 1 }], b: 1 }, 'yes'), true);
    assert.equal(await call('get', 'state'), 'yes');
  });

  test('does not take a missing value for an expected one', async () => {
    assert.equal(await call('cas', 'absent', null, 1), false);
    assert.equal(await call('get', 'absent'), null);
  });
});

describe('store.list', () => {
  test('gives keys sorted, by prefix, page by page', async () => {
    const own = await another(), p = on(own);
    for (const key of ['b:2', 'a', 'b:1', 'b:é', 'c', 'b;']) await p('set', key, 1);
    assert.deepEqual(await p('list'), ['a', 'b:1', 'b:2', 'b:é', 'b;', 'c']);
    assert.deepEqual(await p('list', 'b:'), ['b:1', 'b:2', 'b:é']);
    const { 0: first, 1: next } = await own.value({ call: 'list', args: ['b:', { limit: 2 }] });
    assert.deepEqual([first, next], [['b:1', 'b:2'], 'b:2']);
    const { 0: second, 1: end } = await own.value({ call: 'list', args: ['b:', { limit: 2, after: next }] });
    assert.deepEqual([second, end], [['b:é'], undefined]);
  });

  test('leaves out what is past its end, and of nothing gives nothing', async () => {
    const own = await another(), p = on(own);
    assert.deepEqual(await p('list'), []);
    await p('set', 'a', 1, { ttl_s: 0.05 });
    await eventually(async () => (await p('list')).length === 0, 'an empty list');
  });

  test('has at most 1000 on a page', async () => {
    assert.match((await refusal(plugin, 'list', 'x', { limit: 1001 })).message, /limit must be 1 to 1000/);
    assert.equal(await rest('list', 'nothing'), undefined);
  });
});

describe('what one plugin keeps', () => {
  test('another does not find, under the same key or any spelling of it', async () => {
    const [a, b] = [await another({ name: 'keeps-a' }), await another({ name: 'keeps-ab' })];
    await on(a)('set', 'key', 'of a');
    await on(b)('set', 'key', 'of b');
    for (const key of ['../keeps-a/key', 'mh:{p:keeps-a}:values:default', '{p:keeps-a}', 'keeps-a:key', '*', 'k*'])
      assert.equal(await on(b)('get', key), null);
    assert.deepEqual(await on(b)('list'), ['key']);
    assert.deepEqual([await on(a)('get', 'key'), await on(b)('get', 'key')], ['of a', 'of b']);
  });

  test('for one org it does not find for another', async () => {
    const own = await another(), [acme, other] = [on(own, 'acme'), on(own, 'other')];
    await acme('set', 'key', 'of acme');
    await other('set', 'key', 'of other');
    assert.deepEqual([await acme('get', 'key'), await other('get', 'key')], ['of acme', 'of other']);
    await other('delete', 'key');
    assert.equal(await acme('get', 'key'), 'of acme');
    assert.deepEqual(await other('list'), []);
  });

  for (const key of ['..', '../../x', '*', '?[a]\\', 'a{b}c', 'mh:{q}:due', '"', "'; DROP", 'ünï 🌙', '%00', ' ',
                     'x'.repeat(200), 'values', '-', '+', '(', '[a'])
    test(`under ${JSON.stringify(key.slice(0, 20))} is data like any other`, async () => {
      const p = on(await another());
      await p('set', key, key);
      assert.equal(await p('get', key), key);
      assert.deepEqual(await p('list', key), [key]);
      assert.equal(await p('incr', `${key.slice(1)}n`), 1);
      assert.equal(await p('delete', key), true);
    });

  for (const key of ['', 'a\nb', 'a\r\nSET x y', '\u007f', '\t', 'x'.repeat(201), 'é'.repeat(101)])
    test(`is not kept under ${JSON.stringify(key.slice(0, 20))}`, async () => {
      for (const what of ['get', 'delete', 'incr']) {
        const { message } = await refusal(plugin, what, key);
        assert.match(message, /^plugin\.lua:\d+: store\.\w+: a key must be 1 to 200 bytes of UTF-8 without control/);
      }
    });

  for (const key of ['a\\255', '\\0', 'a\\0b'])
    test(`is not kept under "${key}", which no JSON can hold`, async () => {
      const own = await luaPlugin(engine, `store.set("${key}", 1)`, { permissions: ['storage'] });
      more.push(own);
      assert.match((await own.ask()).error.message, /a key must be 1 to 200 bytes of UTF-8/);
    });
});

const breaches = (which, limit) =>
  engine.metric('moonhook_limit_breaches_total', `{plugin="${which.name}",limit="${limit}"}`);

function limitsReached(which, event) {
  return eventually(async () => {
    const { deliveries } = (await engine.get(`/api/events/${event}`)).json;
    return deliveries.find((d) => d.target.id === which.name).attempts?.[0]?.limits_reached;
  }, 'the record of a limit');
}

describe('the quota', () => {
  test('of keys holds exactly, and counts what is past its end no more', async () => {
    const own = await another({ more: 'limits = { store_keys = 3 },' }), p = on(own);
    await p('set', 'a', 1);
    await p('set', 'b', 1, { ttl_s: 2 });
    await p('incr', 'c');
    const error = await refusal(own, 'set', 'd', 1);
    assert.equal(error.code, 'limit');
    assert.match(error.message, /limits\.store_keys/);
    assert.deepEqual(await limitsReached(own, error.event), ['store_keys']);
    assert.equal(await breaches(own, 'store_keys'), 1);
    await p('set', 'a', 2);                                     // of one that is there: no new key
    await eventually(async () => !(await own.ask({ call: 'set', args: ['d', 1] })).error, 'room for another');
    assert.deepEqual(await p('list'), ['a', 'c', 'd']);
  });

  test('of bytes holds exactly, for new values and for longer ones', async () => {
    const own = await another({ more: 'limits = { store_kb = 1 },' }), p = on(own);
    await p('set', 'a', 'x'.repeat(1020));                      // 1 of the key, 2 of the quotes: 1023
    const error = await refusal(own, 'set', 'b', 1);
    assert.equal(error.code, 'limit');
    assert.match(error.message, /limits\.store_kb/);
    assert.deepEqual(await limitsReached(own, error.event), ['store_kb']);
    assert.equal(await breaches(own, 'store_kb'), 1);
    await p('set', 'a', 'x'.repeat(1021));
    assert.equal((await refusal(own, 'set', 'a', 'x'.repeat(1022))).code, 'limit');
    await p('delete', 'a');
    await p('set', 'b', 'y'.repeat(1021));
  });

  test('is one for each org', async () => {
    const own = await another({ more: 'limits = { store_keys = 1 },' });
    await on(own, 'acme')('set', 'a', 1);
    await on(own, 'other')('set', 'b', 1);
    const { error } = await own.ask({ call: 'set', args: ['c', 1] }, { org_id: 'acme' });
    assert.equal(error.code, 'limit');
  });

  test('holds when many write at once', async () => {
    const own = await another({ more: 'limits = { store_keys = 5 },' });
    const rows = await Promise.all(Array.from({ length: 20 }, (_, i) => own.ask({ call: 'set', args: [`k${i}`, i] })));
    assert.equal(rows.filter((row) => !row.error).length, 5);
    assert.equal((await on(own)('list')).length, 5);
  });
});

describe('without the permission', () => {
  test('nothing is kept, and the log names the rule', async () => {
    const own = await another({ permissions: [] });
    const error = await refusal(own, 'set', 'a', 1);
    assert.equal(error.code, 'denied');
    await engine.logged(new RegExp(`request_denied plugin=${own.name} .* op=store .* rule="storage"`));
    assert.equal(await engine.metric('moonhook_requests_denied_total', `{plugin="${own.name}",op="store"}`), 1);
    assert.equal(await redis.cli('--scan', '--pattern', `*{p:${own.name}}*`), '');
  });
});

describe('uninstalling', () => {
  const keysOf = (name) => redis.cli('--scan', '--pattern', `*{p:${name}}*`);

  test('leaves no key of any org', async () => {
    const own = await keeper({ name: 'leaver' });
    for (const org of ['acme', 'other', 'default']) await on(own, org)('set', 'a', 1, { ttl_s: 100 });
    assert.notEqual(await keysOf('leaver'), '');
    await own.remove();
    assert.equal(await keysOf('leaver'), '');
  });

  test('leaves nothing for the next plugin of that name', async () => {
    const own = await keeper({ name: 'heir' });
    await on(own)('set', 'a', 'legacy');
    await own.remove();
    await engine.ok(200, own.folder.install(engine));
    more.push(own);
    assert.equal(await on(own)('get', 'a'), null);
  });

  test('is not needed where nothing is left to keep', async () => {
    const own = await another(), p = on(own);
    await p('set', 'a', 1);
    await p('delete', 'a');
    assert.equal(await keysOf(own.name), '');
  });

  test('what setup kept goes as well when the install fails', async () => {
    const folder = new PluginFolder('stillborn', `permissions = { "events:read", "storage" },
      setup = function() store.set("a", 1) error("no") end, on_event = function() end,`,
      { before: 'local store = require "moonhook.store"' });
    assert.equal((await folder.install(engine)).status, 400);
    await engine.logged(/store_forgotten plugin=stillborn orgs=1/);
    assert.equal(await keysOf('stillborn'), '');
  });
});

describe('a hook', () => {
  test('survives a reload with what it kept', async () => {
    const own = await another();
    await on(own)('set', 'a', 5);
    await engine.ok(200, engine.post(`/api/plugins/${own.name}/reload`));
    assert.equal(await on(own)('get', 'a'), 5);
  });

  test('keeps a secret as its token only', async () => {
    const own = await luaPlugin(engine, 'store.set("s", "Bearer " .. ctx.config.key) return store.get("s")', {
      permissions: ['storage'], more: 'config = { key = { type = "string", secret = true } },',
      config: { key: 'the-real-value' } });
    more.push(own);
    assert.match(await own.value(), /^Bearer mhs_\w+$/);
    assert.ok(!(await redis.cli('HGETALL', `mh:{p:${own.name}}:values:default`)).includes('the-real-value'));
  });

  test('that cannot reach Redis is tried again, and says why', async () => {
    const receiver = await new Receiver().start();
    let answer;
    receiver.answer = (_, index) => index > 0 ? {} : new Promise((done) => { answer = done; });
    const own = await luaPlugin(engine, `http.get("${receiver.url}/"):expect(200) store.set("a", 1) return "kept"`, {
      permissions: ['storage', `http:127.0.0.1:${receiver.port}`], fail: 'retry', name: 'patient' });
    more.push(own);
    const { id } = await engine.event('x', { to: 'patient' });
    await receiver.got(1);
    await redis.kill();
    answer({});
    await engine.logged(/request_failed plugin=patient .* op=store error=unavailable/);
    await redis.start();
    const delivery = await eventually(async () => {
      const { json } = await engine.get(`/api/events/${id}`);
      const mine = json?.deliveries?.find((d) => d.target.id === 'patient');
      return mine?.status === 'delivered' && mine;
    }, 'a delivery that made it');
    assert.equal(delivery.attempts[0].error.code, 'unavailable');
    assert.equal(delivery.attempts.at(-1).result, 'kept');
    await receiver.stop();
  });
});
