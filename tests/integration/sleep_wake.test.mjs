// sleep_wake.test.mjs - a plugin without events has no process, and no event is lost or
// late for that.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Engine } from './lib/engine.mjs';
import { installed, PluginFolder, resultOf } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const FLAGS = ['--idle-timeout', '200ms', '--plugin-retry-schedule', '0s,50ms'];
const engine = new Engine({ flags: FLAGS });
const receiver = new Receiver();

before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));
beforeEach(() => receiver.reset());

const HTTP = { before: 'local http = require "moonhook.http"' };
const talk = (word, event = 'alert') => (event === 'alert'
  ? `permissions = { "alerts:read" }, on_alert = function() return { says = "${word}" } end,`
  : `permissions = { "events:read" }, on_event = function() return { says = "${word}" } end,`);
const posting = () => `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
  on_alert = function(alert) http.post("${receiver.url}/n", { json = { n = alert.n } }):expect(200) end,`;

const asleep = (on, name) => eventually(async () => {
  const plugin = await installed(on, name);
  return plugin.status === 'asleep' && plugin;
}, `${name} asleep`);

// The pids of the engine's sandboxes.
const sandboxes = (on) => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(parent) === on.pid && state !== 'Z' && stat.includes('(moonhook-sandbo');
  } catch {
    return false;
  }
});

async function remove(name) {
  await engine.ok(200, engine.delete(`/api/plugins/${name}`));
}

describe('a plugin without events', () => {
  test('falls asleep: its process is gone, and everything says so', async () => {
    await engine.ok(200, new PluginFolder('drowsy', talk('hm')).install(engine));
    const { metrics: { pid } } = await installed(engine, 'drowsy');
    const plugin = await asleep(engine, 'drowsy');
    await eventually(() => !existsSync(`/proc/${pid}`), 'the end of its process');
    assert.match(plugin.reason, /next .*wakes/);
    assert.deepEqual([plugin.metrics.pid, plugin.metrics.restarts], [0, 0]);
    assert.equal(await engine.metric('moonhook_plugin_state', '{plugin="drowsy",state="asleep"}'), 1);
    await engine.logged(new RegExp(`plugin_asleep plugin=drowsy pid=${pid} `));
    await remove('drowsy');
  });

  test('is woken by its next event', async () => {
    await engine.ok(200, new PluginFolder('napper', talk('awake')).install(engine));
    await asleep(engine, 'napper');
    const row = await resultOf(engine, 'napper', 'alert');
    assert.deepEqual([row.status, row.result], ['delivered', { says: 'awake' }]);
    const { status, metrics } = await installed(engine, 'napper');
    assert.equal(status, 'ready');
    assert.deepEqual([metrics.restarts, metrics.failures], [0, 0]);
    await remove('napper');
  });

  test('sleeps on through events that it does not want', async () => {
    await engine.ok(200, new PluginFolder('picky', talk('mine')).install(engine));
    await asleep(engine, 'picky');
    await resultOf(engine, 'picky', 'another.type');
    assert.equal((await installed(engine, 'picky')).status, 'asleep');
    await remove('picky');
  });

  test('does not sleep while a hook of it waits for a service', async () => {
    let answer;
    receiver.answer = () => new Promise((resolve) => { answer = () => resolve({}); });
    await engine.ok(200, new PluginFolder('waiting', posting(), HTTP).install(engine));
    const { metrics: { pid } } = await installed(engine, 'waiting');
    await engine.event('alert', { n: 1 });
    await receiver.got(1);
    await engine.ok(200, new PluginFolder('clock', talk('tick', 'none')).install(engine));
    await asleep(engine, 'clock');          // installed later, and asleep: the time is over
    assert.deepEqual([(await installed(engine, 'waiting')).metrics.pid, existsSync(`/proc/${pid}`)], [pid, true]);
    answer();
    await engine.idle();
    await asleep(engine, 'waiting');
    assert.equal(receiver.requests.length, 1);
    await Promise.all(['waiting', 'clock'].map(remove));
  });

  test('can be reloaded, configured, disabled and removed in its sleep', async () => {
    const plugin = new PluginFolder('dreamer', `config = { word = { type = "string", default = "old" } },
      permissions = { "alerts:read" }, on_alert = function(_, ctx) return { says = ctx.config.word } end,`);
    await engine.ok(200, plugin.install(engine));
    await asleep(engine, 'dreamer');
    await engine.ok(200, engine.post('/api/plugins/dreamer/reload'));
    await asleep(engine, 'dreamer');
    await engine.ok(200, engine.put('/api/plugins/dreamer/config', { word: 'new' }));
    await asleep(engine, 'dreamer');
    assert.deepEqual((await resultOf(engine, 'dreamer', 'alert')).result, { says: 'new' });
    await asleep(engine, 'dreamer');
    assert.equal((await engine.ok(200, engine.post('/api/plugins/dreamer/disable'))).status, 'stopped');
    assert.equal((await engine.event('alert')).deliveries, 0);
    await engine.ok(200, engine.post('/api/plugins/dreamer/enable'));
    await asleep(engine, 'dreamer');
    await remove('dreamer');
    assert.equal((await engine.event('alert')).deliveries, 0);
  });

  test('loses nothing and does nothing twice when events come as it falls asleep', async () => {
    const quick = new Engine({ flags: ['--idle-timeout', '5ms', '--plugin-retry-schedule', '0s,50ms'] });
    await quick.start();
    await quick.ok(200, new PluginFolder('nodding', posting(), HTTP).install(quick));
    const count = 200;
    for (let n = 0; n < count; n++) {
      await quick.event('alert', { n });
      await receiver.got(n + 1);
      await sleep(n % 10);                  // races with its falling asleep
      if (n % 4 === 3) await asleep(quick, 'nodding');
    }
    await quick.idle();
    assert.deepEqual(receiver.requests.map((r) => r.json.n), [...Array(count).keys()]);
    const woken = quick.lines.filter((line) => /plugin_ready plugin=nodding/.test(line)).length;
    assert.ok(woken >= count / 4, `woken ${woken} times`);
    assert.equal((await installed(quick, 'nodding')).metrics.restarts, 0);
    await quick.stop();
  });
});

describe('a plugin that cannot be woken', () => {
  test('backs off with its reason; what waits for it is done when it can', async () => {
    let broken = false;
    receiver.answer = (request) => (broken && request.url === '/setup' ? { status: 500 } : {});
    await engine.ok(200, new PluginFolder('grumpy', `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      setup = function() http.get("${receiver.url}/setup"):expect(200) end,
      on_alert = function(alert) http.post("${receiver.url}/n", { json = alert }):expect(200) end,`, HTTP)
      .install(engine));
    await asleep(engine, 'grumpy');
    broken = true;
    await engine.event('alert', { n: 7 });
    await engine.logged(/plugin_ended plugin=grumpy .*restart_in_ms=[1-9]/);
    const { status, reason, metrics } = await eventually(async () => {
      const now = await installed(engine, 'grumpy');
      return now.status === 'backoff' && now;
    }, 'a plugin that backs off');
    assert.match(reason, /500/);
    assert.equal(status, 'backoff');
    assert.ok(metrics.restarts >= 2, `${metrics.restarts} restarts`);
    broken = false;
    const [{ json }] = await receiver.got(1, (r) => r.url === '/n');
    assert.deepEqual(json, { n: 7 });
    await asleep(engine, 'grumpy');
    await remove('grumpy');
  });
});

describe('many plugins', () => {
  test('start with the engine without a process; those with events have one', async () => {
    const count = 200, active = 10;
    const many = new Engine({ flags: ['--idle-timeout', '30s'] });
    await many.start();
    for (let i = 0; i < count; i++) {
      const plugin = new PluginFolder(`many-${i}`, talk('busy', i < active ? 'deploy' : 'alert'));
      await many.ok(200, plugin.install(many));
    }
    await many.stop();
    await many.start();
    assert.deepEqual(sandboxes(many), []);
    const all = (await many.get('/api/plugins/installed')).json;
    assert.deepEqual([all.length, all.every((plugin) => plugin.status === 'asleep')], [count, true]);
    const { results } = await many.ok(200, many.post('/api/events?wait=15000', { event: 'deploy', data: {} }));
    assert.equal(results.filter((row) => row.result?.says === 'busy').length, active);
    assert.equal(sandboxes(many).length, active);
    await many.stop();
  });
});

test('with --idle-timeout 0 no plugin ever sleeps, nor after a restart of the engine', async () => {
  const wakeful = new Engine({ flags: ['--idle-timeout', '0'] });
  await wakeful.start();
  await wakeful.ok(200, new PluginFolder('wakeful', talk('always')).install(wakeful));
  await wakeful.stop();
  await wakeful.start();
  await wakeful.logged(/plugin_ready plugin=wakeful/);
  assert.equal((await installed(wakeful, 'wakeful')).status, 'ready');
  await wakeful.stop();
});
