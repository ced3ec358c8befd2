// plugin_faults.test.mjs - plugins at their worst: each fault is a typed error in its
// delivery, costs at most that plugin its process, and no other plugin notices.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { installed, PluginFolder } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const engine = new Engine({ flags: ['--plugin-retry-schedule', '0s'] });
const receiver = new Receiver();
let pid;

// Both take every event; only the bad one does what `body` says, and only when it is asked to.
const GOOD = 'permissions = { "events:read" }, on_event = function() return { fine = true } end,';
const bad = (body) => `permissions = { "events:read", "http:127.0.0.1:${receiver.port}", "http:*.allowed.example" },
  limits = { timeout_ms = 400, memory_mb = 16 },
  on_event = function(data, ctx)
    if ctx.event.type ~= "misbehave" then return { calm = true } end
    ${body}
  end,`;

before(async () => {
  await Promise.all([engine.start(), receiver.start()]);
  await engine.ok(200, new PluginFolder('good', GOOD).install(engine));
  pid = engine.pid;
});
after(() => Promise.all([engine.stop(), receiver.stop()]));

async function ask(type) {
  const { results } = await engine.ok(200, engine.post('/api/events?wait=15000', { event: type, data: {} }));
  return Object.fromEntries(results.map((row) => [row.plugin, row]));
}

const beforeTable = 'local http = require "moonhook.http"\nlocal json = require "moonhook.json"';

// name, what the hook does, the error's code, what its message says, whether the process lives
const faults = [
  ['raises an error', 'error("on purpose")', 'plugin_error', /plugin\.lua:\d+: on purpose/, true],
  ['raises a table', 'error({ a = 1 })', 'plugin_error', /./, true],
  ['calls what is nil', 'local t = nil; return t.x', 'plugin_error', /plugin\.lua:\d+: .*nil/, true],
  ['loops forever', 'while true do end', 'timeout', /./],
  ['loops forever behind pcall', 'while true do pcall(function() while true do end end) end', 'timeout', /./],
  ['searches a string forever', 'return ("a"):rep(200):find(".-.-.-.-b")', 'timeout', /./, false],
  ['fills a table without end', 'local t = {} for i = 1, 1e12 do t[i] = ("x"):rep(1000) .. i end', 'memory', /./],
  ['asks for a huge string', 'return #(("x"):rep(1e9))', 'memory', /./],
  ['recurses without end', 'local function f() return 1 + f() end return f()', 'plugin_error', /overflow/, true],
  ['nests coroutines without end',
    'local function f() return coroutine.wrap(f)() end return f()', ['plugin_crashed', 'plugin_error', 'memory'], /./],
  ['reads a file', 'return io.open("/etc/passwd")', 'plugin_error', /io/, true],
  ['loads bytecode', 'local f = assert(loadstring(string.dump(function() end))) return f()', 'plugin_error', /./, true],
  ['reaches for ffi', 'return require("ffi").C.getpid()', 'plugin_error', /ffi/, true],
  ['asks for a host that it may not reach', 'return http.get("http://evil.example/"):expect(200)', 'denied',
    /evil\.example|permission|allow/, true],
  ['returns a function', 'return function() end', ['bad_result', 'plugin_error'], /./, true],
  ['returns more than can be kept', 'return { text = ("x"):rep(400000) }', 'bad_result', /./, true],
  ['returns what contains itself', 'local t = {} t.t = t return t', ['bad_result', 'plugin_error'], /./, true],
  ['returns not a number', 'return { n = 0/0 }', ['bad_result', 'plugin_error'], /./, true],
];

describe('a plugin that', () => {
  for (const [i, [name, body, code, message, lives]] of faults.entries())
    test(`${name} costs at most itself`, async () => {
      const plugin = new PluginFolder(`bad-${i}`, bad(body), { before: beforeTable });
      await engine.ok(200, plugin.install(engine));
      const { metrics: { pid: first } } = await installed(engine, plugin.name);
      const rows = await ask('misbehave');
      assert.equal(rows[plugin.name].status, 'failed', JSON.stringify(rows));
      assert.ok([code].flat().includes(rows[plugin.name].error.code), JSON.stringify(rows[plugin.name]));
      assert.match(rows[plugin.name].error.message, message);
      assert.deepEqual([rows.good.status, rows.good.result], ['delivered', { fine: true }]);
      assert.equal(engine.pid, pid);

      const now = (await ask('calm'))[plugin.name];
      assert.deepEqual([now.status, now.result], ['delivered', { calm: true }]);
      if (lives !== undefined)
        assert.equal((await installed(engine, plugin.name)).metrics.pid === first, lives, 'the same process');
      await engine.ok(200, engine.delete(`/api/plugins/${plugin.name}`));
    });

  test('returns bytes that are no text has a record all the same', async () => {
    const plugin = new PluginFolder('bytes', bad('return { nul = "a\\0b", odd = "\\255" }'));
    await engine.ok(200, plugin.install(engine));
    const got = await engine.ok(200, engine.post('/api/events?wait=15000', { event: 'misbehave', data: {} }));
    const { result } = got.results.find((row) => row.plugin === 'bytes');
    const record = await eventually(async () => (await engine.get(`/api/events/${got.id}`)).json.deliveries
      .find((d) => d.target.id === 'bytes' && d.status === 'delivered'), 'its record');
    assert.deepEqual(record.attempts[0].result, result);
    await engine.ok(200, engine.delete('/api/plugins/bytes'));
  });

  test('asks twice in one hook gets both answers', async () => {
    receiver.reset();
    receiver.answer = ({ url }) => ({ body: url });
    const plugin = new PluginFolder('twice', bad(`return { http.get("${receiver.url}/one"):expect(200).body,
      http.get("${receiver.url}/two"):expect(200).body }`), { before: beforeTable });
    await engine.ok(200, plugin.install(engine));
    assert.deepEqual((await ask('misbehave')).twice.result, ['/one', '/two']);
    await engine.ok(200, engine.delete('/api/plugins/twice'));
  });

  test('waits for a service that hangs is ended by its deadline, and serves on', async () => {
    receiver.answer = () => ({ hang: true });
    const plugin = new PluginFolder('patient', bad(`return http.get("${receiver.url}/slow"):expect(200)`),
                                    { before: beforeTable });
    await engine.ok(200, plugin.install(engine));
    const rows = await ask('misbehave');
    assert.equal(rows.patient.status, 'failed', JSON.stringify(rows.patient));
    assert.equal(rows.good.status, 'delivered');
    assert.equal((await ask('calm')).patient.status, 'delivered');
    await engine.ok(200, engine.delete('/api/plugins/patient'));
  });

  test('fails to start with a long reason is listed with it, in whole characters', async () => {
    receiver.reset();
    const plugin = new PluginFolder('wordy', `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      setup = function()
        local text = http.get("${receiver.url}/state").body
        if text ~= "ok" then error(text) end
      end,
      on_alert = function() end,`, { before: beforeTable });
    await engine.ok(200, plugin.install(engine));
    const { metrics } = await installed(engine, 'wordy');
    for (const text of ['\u00e9', 'x\u00e9']) {       // one of them is cut inside a character
      receiver.answer = () => ({ body: text.at(0) + '\u00e9'.repeat(1000) });
      const { restarts } = (await installed(engine, 'wordy')).metrics;
      if (restarts === 0) process.kill(metrics.pid, 'SIGKILL');
      const pattern = new RegExp(`: ${text.at(0)}\u00e9{200,}$`);
      await eventually(async () => pattern.test((await installed(engine, 'wordy'))?.reason), 'its reason');
    }
    await engine.ok(200, engine.delete('/api/plugins/wordy'));
  });

  test('crashes again and again waits ever longer, and its state says why', async () => {
    const plugin = new PluginFolder('looping', 'permissions = { "events:read" }, limits = { timeout_ms = 100 }, '
      + 'on_event = function() return ("a"):rep(200):find(".-.-.-.-b") end,');
    await engine.ok(200, plugin.install(engine));
    for (let i = 0; i < 4; i++) await engine.event('crash');
    const state = await eventually(async () => {
      const now = await installed(engine, 'looping');
      return now.status === 'backoff' && now.metrics.restarts >= 4 && now;
    }, 'a plugin that waits');
    assert.match(state.reason, /^plugin looping: on_event of event evt_\w+ ran longer than 100 ms/);
    const waits = engine.lines.filter((l) => /plugin_ended plugin=looping /.test(l)).slice(0, 4)
      .map((l) => Number(/restart_in_ms=(\d+)/.exec(l)[1]));
    assert.deepEqual(waits, [0, 100, 200, 400]);
    await engine.ok(200, engine.delete('/api/plugins/looping'));
  });

  test('dies while its hooks wait is started again; they are made again, uncharged', async () => {
    receiver.reset();
    receiver.answer = () => ({ hang: true });
    const plugin = new PluginFolder('mortal', `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      on_alert = function(alert, ctx)
        http.post("${receiver.url}/work", { json = { id = ctx.delivery_id } }):expect(200)
      end,`, { before: beforeTable });
    await engine.ok(200, plugin.install(engine));
    const { id } = await engine.event('alert');
    await receiver.got(1);
    receiver.answer = () => ({});
    process.kill((await installed(engine, 'mortal')).metrics.pid, 'SIGKILL');
    const [first, second] = await receiver.got(2);
    assert.equal(first.json.id, second.json.id, 'the same delivery');
    const { attempts } = await eventually(async () => (await engine.get(`/api/events/${id}`)).json.deliveries
      .find((d) => d.target.id === 'mortal' && d.status === 'delivered'), 'a delivery');
    assert.equal(attempts.length, 1);
  });
});
