// plugin_emit.test.mjs - moonhook.events: what a plugin emits is an event like any other, of
// the same org, emitted once, and ends where it would go round in circles.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { luaPlugin } from './lib/lua_plugin.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const engine = new Engine({ flags: ['--plugin-retry-schedule', '0s,10ms,10ms'] });
const receiver = new Receiver();
const made = [];

before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));
afterEach(async () => {
  for (const plugin of made.splice(0)) await plugin.remove();
  receiver.reset();
});

async function emitter(body, options = {}) {
  const plugin = await luaPlugin(engine, body, { permissions: ['events:emit'], ...options });
  made.push(plugin);
  return plugin;
}

const story = async (id, org) => (await engine.get(`/api/events/${id}${org ? `?org=${org}` : ''}`)).json;
const deliveryOf = (event, plugin) => event.deliveries.find((d) => d.target.id === plugin.name);

describe('an event that a plugin emits', () => {
  test('is stored when emit() returns, and tells what it came from', async () => {
    const plugin = await emitter('return { events.emit("incident.opened", { key = data.key, list = json.array() }) }');
    const { event, result: [id, duplicate] } = await plugin.ask({ key: 'k' });
    const emitted = await story(id);
    assert.equal(duplicate, false);
    assert.deepEqual([emitted.event, emitted.org_id, emitted.data], ['incident.opened', 'default', { key: 'k', list: [] }]);
    assert.deepEqual([emitted.caused_by, emitted.hops], [`${event}~${plugin.name}`, 1]);
  });

  test("has the envelope of a producer's, and goes to whoever wants it", async () => {
    await engine.webhook(receiver.url, { events: ['incident.opened'] });
    const plugin = await emitter('return (events.emit("incident.opened", { a = 1 }))');
    const id = await plugin.value();
    const [{ json }] = await receiver.got(1);
    assert.deepEqual(Object.keys(json), ['id', 'event', 'timestamp', 'org_id', 'data']);
    assert.equal(json.id, id);
    await engine.forgetWebhooks();
  });

  test('belongs to the org of the event before, whatever its data says', async () => {
    const plugin = await emitter('return (events.emit("y", { org_id = "other", id = "mine" }))');
    const row = await plugin.ask({}, { org_id: 'acme' });
    assert.equal((await engine.get(`/api/events/${row.result}`)).status, 404);
    await engine.webhook(receiver.url, { events: ['y'], org_id: 'acme' });
    await engine.webhook(`${receiver.url}/other`, { events: ['y'], org_id: 'other' });
    await plugin.ask({}, { org_id: 'acme' });
    const [{ url, json }] = await receiver.got(1);
    assert.deepEqual([url, json.org_id], ['/', 'acme']);
  });

  for (const [what, args, sentence] of [
    ['a type that no producer could send', '"Not A Type", {}', /events\.emit: a type must be 1 to 63 of a-z/],
    ['an id that is none', '"y", {}, { id = "a.b" }', /an id must be 1 to 64 of/],
    ['data that is a list', '"y", { 1, 2 }', /the data must be a table with names/],
    ['data that is no table', '"y", "text"', /the data must be a table, not a string/],
    ['an unknown option', '"y", {}, { org_id = "other" }', /there is no option 'org_id'/],
    ['data that is no JSON', '"y", { f = print }', /the data: .*function/],
    ['data of more than 1 MiB', '"y", { t = ("x"):rep(1048576) }', /the data may have 1 MiB/],
  ])
    test(`is refused with ${what}, at the plugin's line`, async () => {
      const plugin = await emitter(`events.emit(${args})`);
      const { error } = await plugin.ask();
      assert.match(error.message, sentence);
      assert.match(error.message, /^plugin\.lua:\d+: /);
    });

  test('needs an event before it: setup emits nothing', async () => {
    await assert.rejects(emitter('return 1', { more: 'setup = function() events.emit("y", {}) end,' }),
                         /there is no event here whose org/);
  });
});

describe('a hook that is tried again', () => {
  const failing = `local id, again = events.emit("y", { n = 1 })
    local two = events.emit("y", { n = 2 })
    if ctx.event.attempt == 1 then error("once more") end
    return { id, again, two }`;

  test('emits nothing twice', async () => {
    const plugin = await emitter(failing, { fail: 'retry' });
    const accepted = await engine.metric('moonhook_events_accepted_total');
    const { id } = await engine.event('x', { to: plugin.name });
    const delivery = await eventually(async () => {
      const mine = deliveryOf(await story(id), plugin);
      return mine?.status === 'delivered' && mine;
    }, 'the second attempt');
    const [first, again, second] = delivery.attempts.at(-1).result;
    assert.deepEqual([delivery.attempts.length, again], [2, true]);
    assert.notEqual(first, second);
    assert.deepEqual([(await story(first)).data, (await story(second)).data], [{ n: 1 }, { n: 2 }]);
    assert.equal(await engine.metric('moonhook_events_accepted_total'), accepted + 3);
  });

  test('by another event emits its own', async () => {
    const plugin = await emitter('return (events.emit("y", {}))');
    assert.notEqual(await plugin.value(), await plugin.value());
  });
});

describe("an id of the plugin's own", () => {
  test('is accepted once', async () => {
    const plugin = await emitter('return { events.emit("y", {}, { id = "the-one" }) }');
    const [[id, first], [same, again]] = [await plugin.value(), await plugin.value()];
    assert.deepEqual([same, first, again], [id, false, true]);
  });

  test("takes neither another plugin's nor a producer's", async () => {
    const body = 'return { events.emit("y", {}, { id = "shared" }) }';
    const [a, b] = [await emitter(body), await emitter(body)];
    await engine.event('x', {}, { id: 'shared' });
    assert.deepEqual([(await a.value())[1], (await b.value())[1]], [false, false]);
  });
});

describe('events that are emitted one for the other', () => {
  test('end with the eighth, which is refused more', async () => {
    const plugin = await emitter('return (events.emit("x", { to = data.to, n = (data.n or 0) + 1 }))');
    const seen = [];
    for (let id = await plugin.value(); id;) {
      const event = await eventually(async () => {
        const found = await story(id);
        return deliveryOf(found, plugin)?.attempts?.length > 0 && found;
      }, 'the hook of an emitted event');
      seen.push(event.hops);
      const [attempt] = deliveryOf(event, plugin).attempts;
      id = attempt.result;
      if (id) continue;
      assert.equal(attempt.error.code, 'limit');
      assert.match(attempt.error.message, /the last of 8 .* looks like a loop/);
      assert.equal(deliveryOf(event, plugin).status, 'dead');
    }
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('are still counted by an engine that was started since', async () => {
    const other = new Engine({ flags: ['--plugin-retry-schedule', '0s,10ms,10ms'] });
    await other.start();
    let answer;
    receiver.answer = (_, index) => index === 0 ? new Promise((done) => { answer = done; }) : {};
    const plugin = await luaPlugin(other, `
      if event.event == "x" then return (events.emit("y", { to = data.to })) end
      if event.event == "y" then http.get("${receiver.url}/"):expect(200) end
      return (events.emit("z", {}))`, { permissions: ['events:emit', `http:127.0.0.1:${receiver.port}`] });
    const emitted = await plugin.value();
    await receiver.got(1);                                      // the hook of "y" is in the middle
    await other.kill();
    await other.start();
    const last = await eventually(async () => {
      const found = (await other.get(`/api/events/${emitted}`)).json;
      return deliveryOf(found, plugin)?.status === 'delivered' && deliveryOf(found, plugin).attempts.at(-1).result;
    }, 'the hook after the restart');
    assert.equal((await other.get(`/api/events/${last}`)).json.hops, 2);
    answer({});
    await other.stop();
  });
});

describe('a plugin that emits', () => {
  test('faster than it may is refused by name, and may again later', async () => {
    const plugin = await emitter('for i = 1, data.count do events.emit("y", { i = i }) end',
                                 { more: 'limits = { events_per_s = 2 },' });
    const { error, event } = await plugin.ask({ count: 50 });
    assert.equal(error.code, 'limit');
    assert.match(error.message, /limits\.events_per_s/);
    const attempt = await eventually(async () => deliveryOf(await story(event), plugin).attempts?.[0], 'its record');
    assert.deepEqual(attempt.limits_reached, ['events_per_s']);
    assert.equal(await engine.metric('moonhook_limit_breaches_total',
                                     `{plugin="${plugin.name}",limit="events_per_s"}`), 1);
    await eventually(async () => !(await plugin.ask({ count: 1 })).error, 'room for another event');
    const calm = await emitter('return (events.emit("y", {}))');
    assert.ok(await calm.value(), 'another plugin has a rate of its own');
  });

  test('without the permission is refused, and the log names the rule', async () => {
    const plugin = await emitter('events.emit("y", {})', { permissions: [] });
    assert.equal((await plugin.ask()).error.code, 'denied');
    await engine.logged(new RegExp(`request_denied plugin=${plugin.name} .* op=emit .* rule="events:emit"`));
  });
});
