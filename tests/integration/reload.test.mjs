// reload.test.mjs - versions that take over, versions that must not, and the way back to the
// version before. A thousand of them under load: reload_load.test.mjs.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { assertProblem, Engine } from './lib/engine.mjs';
import { installed, PluginFolder, resultOf, saysOn, talk } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const engine = new Engine({ flags: ['--plugin-retry-schedule', '0s,50ms', '--hook-timeout', '60s'] });
const receiver = new Receiver();

before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));
beforeEach(async () => {
  await engine.forgetPlugins();
  receiver.reset();
});

const HTTP = 'local http = require "moonhook.http"';
const call = (name, verb) => engine.post(`/api/plugins/${name}/${verb}`);
const says = (name, on = engine) => saysOn(on, name);

describe('a reload', () => {
  test('lets calls that are under way end where they began', async () => {
    const answers = [];
    receiver.answer = () => new Promise((resolve) => { answers.push(() => resolve({})); });
    const plugin = new PluginFolder('steady', `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      on_alert = function() return { old = http.get("${receiver.url}/old"):expect(200).status } end,`,
      { before: HTTP });
    await engine.ok(200, plugin.install(engine));
    const waiting = resultOf(engine, 'steady', 'alert');
    await receiver.got(1);
    for (const word of ['one', 'two', 'three']) {
      plugin.write(talk(word));
      await engine.ok(200, call('steady', 'reload'));
      assert.equal((await resultOf(engine, 'steady', 'alert')).result.says, word);
    }
    answers[0]();
    assert.deepEqual((await waiting).result, { old: 200 });
    assert.equal(receiver.requests.length, 1);
  });
});

describe('reloads that each leave a process with a call behind', () => {
  test('are refused when there are too many, until those have ended', async () => {
    const answers = [];
    receiver.answer = () => new Promise((resolve) => { answers.push(() => resolve({})); });
    const version = (v) => [`permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      limits = { timeout_ms = 60000 },
      on_alert = function() http.get("${receiver.url}/${v}"):expect(200) end,`, { before: HTTP }];
    const plugin = new PluginFolder('crowded', ...version(0));
    await engine.ok(200, plugin.install(engine));
    let got = { status: 200 }, v = 0;
    for (; got.status === 200 && v < 50; v++) {
      await engine.event('alert');
      await receiver.got(v + 1);
      plugin.write(...version(v + 1));
      got = await call('crowded', 'reload');
    }
    assertProblem(got, 429);
    assert.match(got.json.detail, /still have calls to end/);
    answers.forEach((answer) => answer());
    await engine.idle();
    // A process whose last call has ended takes a moment to be gone.
    await eventually(async () => (await call('crowded', 'reload')).status === 200, 'a reload that is taken');
    assert.equal(receiver.requests.length, v);
  });
});

describe('a new version never takes over', () => {
  const limits = 'limits = { timeout_ms = 400 },';
  const table = (lua) => `return { name = "NAME", version = "2", ${limits}\n${lua}\n}`;
  const broken = [
    ['whose load throws', 'local x = 1\nerror("no luck")', /plugin\.lua:2: no luck/],
    ['that does not compile', 'local x = 1\n\nlocal = 2', /plugin\.lua:3: /],
    ['whose load hangs', 'local x = 1\nwhile true do end', /plugin\.lua:2: .*time/],
    ['whose load recurses without end', 'local function f()\n  return 1 + f()\nend\nf()', /plugin\.lua:2: .*overflow/],
    ['whose load crashes', 'local function f()\n  return coroutine.wrap(f)()\nend\nf()', /./],
    ['whose setup throws', table('setup = function()\n  error("not today")\nend'), /plugin\.lua:3: not today/],
    ['whose setup hangs', table('setup = function()\n  while true do end\nend'), /plugin\.lua:3: .*time/],
    ['whose setup hangs in one call of C',
      table('setup = function()\n  return ("a"):rep(200):find(".-.-.-.-b")\nend'), /plugin\.lua:2: .*setup ran longer than 400 ms/],
    ['whose setup waits for a service for ever', table(`permissions = { "http:127.0.0.1:PORT" },
      setup = function()\n  http.get("http://127.0.0.1:PORT/"):expect(200)\nend`), /plugin\.lua:[34]: .*400 ms/],
    ['whose setup crashes', table('setup = function()\n  local function f()\n'
      + '    return (("x"):gsub("x", f))\n  end\n  f()\nend'), /plugin\.lua:2: setup: .*signal 11/],
    ['whose setup takes all memory',
      table('setup = function()\n  local t = {}\n  for i = 1, 1e12 do t[i] = ("x"):rep(1000) .. i end\nend'), /plugin\.lua:[24]: .*memory/],
  ];
  for (const [i, [name, text, detail]] of broken.entries())
    test(name, async () => {
      receiver.answer = () => ({ hang: true });
      const plugin = new PluginFolder(`sound-${i}`, `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
        on_alert = function() return { says = "old" } end,`);
      await engine.ok(200, plugin.install(engine));
      const { metrics: { pid } } = await installed(engine, plugin.name);
      plugin.writeText(`${HTTP} ${text.replace('NAME', plugin.name).replaceAll('PORT', receiver.port)}`);
      const [got, served] = await Promise.all([call(plugin.name, 'reload'), says(plugin.name)]);
      assertProblem(got, 400);
      assert.match(got.json.detail, detail);
      assert.equal(served, 'old');
      assert.equal(await says(plugin.name), 'old');
      const now = await installed(engine, plugin.name);
      assert.deepEqual([now.version, now.status, now.metrics.pid, now.previous_version],
                       ['1.0.0', 'ready', pid, null]);
      assertProblem(await call(plugin.name, 'rollback'), 409);
    });
});

describe('a rollback', () => {
  async function reloaded(on, name, lua = talk, config) {
    const plugin = new PluginFolder(name, lua('old'), { version: '1.0.0' });
    await on.ok(200, plugin.install(on, config));
    const { metrics: { pid } } = await installed(on, name);
    plugin.write(lua('new'), { version: '2.0.0' });
    const answer = await on.ok(200, on.post(`/api/plugins/${name}/reload`));
    assert.deepEqual([answer.version, answer.previous_version], ['2.0.0', '1.0.0']);
    return { plugin, pid };
  }

  test('is refused where there is no version before', async () => {
    const plugin = new PluginFolder('only', talk('only'));
    await engine.ok(200, plugin.install(engine));
    const got = await call('only', 'rollback');
    assertProblem(got, 409);
    assert.match(got.json.detail, /no earlier version of 'only'/);
    assertProblem(await call('nobody', 'rollback'), 404);
    await engine.ok(200, call('only', 'reload'));       // the same files: no other version
    assertProblem(await call('only', 'rollback'), 409);
  });

  test('takes the process of the version before while it is warm, and goes forward again', async () => {
    const { pid } = await reloaded(engine, 'warm');
    const { metrics: { pid: second } } = await installed(engine, 'warm');
    assert.notEqual(second, pid);
    for (const [version, previous, word, process] of [['1.0.0', '2.0.0', 'old', pid], ['2.0.0', '1.0.0', 'new', second]]) {
      const answer = await engine.ok(200, call('warm', 'rollback'));
      assert.deepEqual([answer.rolled_back, answer.version, answer.previous_version, answer.metrics.pid],
                       [true, version, previous, process]);
      assert.equal(await says('warm'), word);
    }
  });

  test('starts a process of the version before when that is no longer warm', async () => {
    const quick = new Engine({ flags: ['--idle-timeout', '150ms'] });
    await quick.start();
    const { pid } = await reloaded(quick, 'cold');
    await eventually(() => !existsSync(`/proc/${pid}`), 'the end of the warm process');
    const answer = await quick.ok(200, quick.post('/api/plugins/cold/rollback'));
    assert.deepEqual([answer.version, answer.previous_version], ['1.0.0', '2.0.0']);
    assert.equal(await says('cold', quick), 'old');
    await quick.stop();
  });

  test('works after the engine was started again, secrets and all', async () => {
    const secretive = (word) => `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      config = { key = { type = "string", secret = true, required = true } },
      on_alert = function(_, ctx)
        require("moonhook.http").get("${receiver.url}/${word}", { headers = { ["X-Key"] = ctx.config.key } }):expect(200)
        return { says = "${word}" }
      end,`;
    const lasting = new Engine();
    await lasting.start();
    await reloaded(lasting, 'lasting', secretive, { key: 'sEcReT-kEy' });
    await lasting.stop();
    await lasting.start();
    const record = lasting.redis('hget', 'mh:{c}:plugins', 'lasting');
    assert.ok(record.includes('"before"') && !record.includes('sEcReT'), record);
    assert.equal((await installed(lasting, 'lasting')).previous_version, '1.0.0');
    await lasting.ok(200, lasting.post('/api/plugins/lasting/rollback'));
    assert.equal(await says('lasting', lasting), 'old');
    const { headers } = receiver.requests.at(-1);
    assert.equal(headers['x-key'], 'sEcReT-kEy');
    await lasting.stop();
    await lasting.start();
    assert.equal(await says('lasting', lasting), 'old');
    await lasting.ok(200, lasting.post('/api/plugins/lasting/rollback'));
    assert.equal(await says('lasting', lasting), 'new');
    await lasting.stop();
  });

  test('brings back the configuration that the version had', async () => {
    await reloaded(engine, 'configured', (word) => `permissions = { "alerts:read" },
      config = { word = { type = "string", default = "first" }${word === 'new' ? ', more = { type = "string" }' : ''} },
      on_alert = function(_, ctx) return { says = ctx.config.word .. (ctx.config.more or "") } end,`);
    await engine.ok(200, engine.put('/api/plugins/configured/config', { word: 'second', more: '!' }));
    assert.equal(await says('configured'), 'second!');
    const back = await engine.ok(200, call('configured', 'rollback'));
    assert.deepEqual(back.config, { word: 'first' });
    assert.equal(await says('configured'), 'first');
    const forth = await engine.ok(200, call('configured', 'rollback'));
    assert.deepEqual(forth.config, { word: 'second', more: '!' });
    assert.equal(await says('configured'), 'second!');
  });

  test('of a disabled plugin leaves it disabled', async () => {
    await reloaded(engine, 'resting');
    await engine.ok(200, call('resting', 'disable'));
    const answer = await engine.ok(200, call('resting', 'rollback'));
    assert.deepEqual([answer.version, answer.status, answer.metrics.pid], ['1.0.0', 'stopped', 0]);
    await engine.ok(200, call('resting', 'enable'));
    assert.equal(await says('resting'), 'old');
  });

  test('lets the calls end that the newer version has, and those that the warm one still had', async () => {
    const answers = [];
    receiver.answer = () => new Promise((resolve) => { answers.push(() => resolve({})); });
    const asking = (word) => `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      on_alert = function() http.get("${receiver.url}/${word}"):expect(200) return { says = "${word}" } end,`;
    const plugin = new PluginFolder('midway', asking('old'), { before: HTTP });
    await engine.ok(200, plugin.install(engine));
    const first = says('midway');
    await receiver.got(1);
    plugin.write(asking('new'), { before: HTTP });
    await engine.ok(200, call('midway', 'reload'));
    const second = says('midway');
    await receiver.got(2);
    await engine.ok(200, call('midway', 'rollback'));
    answers.forEach((answer) => answer());
    assert.deepEqual(await Promise.all([first, second]), ['old', 'new']);
    assert.deepEqual(receiver.requests.map((r) => r.url), ['/old', '/new']);
  });

  test('that Redis does not take changes nothing, and ends no call', async () => {
    const answers = [];
    receiver.answer = () => new Promise((resolve) => { answers.push(() => resolve({})); });
    const asking = `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      on_alert = function() http.get("${receiver.url}/old"):expect(200) return { says = "old" } end,`;
    const plugin = new PluginFolder('unkept', asking, { before: HTTP });
    await engine.ok(200, plugin.install(engine));
    const under_way = says('unkept');
    await receiver.got(1);
    plugin.write(talk('new'), { version: '2.0.0' });
    await engine.ok(200, call('unkept', 'reload'));

    engine.redis('rename', 'mh:{c}:plugins', 'kept');
    engine.redis('set', 'mh:{c}:plugins', 'of another type');
    assertProblem(await call('unkept', 'rollback'), 503);
    plugin.write(talk('newer'), { version: '3.0.0' });
    assertProblem(await call('unkept', 'reload'), 503);
    engine.redis('rename', 'kept', 'mh:{c}:plugins');
    const { version, previous_version: previous } = await installed(engine, 'unkept');
    assert.deepEqual([version, previous, await says('unkept')], ['2.0.0', '1.0.0', 'new']);

    answers[0]();
    assert.equal(await under_way, 'old');
    assert.equal(receiver.requests.length, 1);
    const back = await engine.ok(200, call('unkept', 'rollback'));
    assert.equal(back.version, '1.0.0');
  });
});
