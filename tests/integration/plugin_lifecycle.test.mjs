// plugin_lifecycle.test.mjs - plugins over REST, in real sandboxes: installed, configured,
// reloaded, disabled and removed; and the slack plugin against a Slack-like service.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { assertProblem, Engine } from './lib/engine.mjs';
import { answerAsSlack, installed, PluginFolder, resultOf } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';

const engine = new Engine({ flags: ['--plugin-retry-schedule', '0s,50ms'] });
const receiver = new Receiver();

before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));
beforeEach(async () => {
  await engine.forgetPlugins();
  receiver.reset();
});

const stored = () => readdirSync(join(engine.data, 'redis'), { recursive: true, withFileTypes: true })
  .filter((f) => f.isFile()).map((f) => readFileSync(join(f.path, f.name), 'latin1')).join('');

const TALK = 'permissions = { "alerts:read" }, on_alert = function() return { says = "%s" } end,';
const talk = (word) => TALK.replace('%s', word);

describe('the slack plugin', () => {
  const secret = 'T0AAAAAAA/B0BBBBBBB/sEcReTsEcReTsEcReTsEcReT';
  const config = () => ({ webhook_url: `${receiver.url}/services/${secret}`, channel: '#ops' });
  const install = () => engine.ok(200, engine.post('/api/plugins/install', { source: 'slack', config: config() }));

  beforeEach(() => { receiver.answer = answerAsSlack; });

  test('is offered with all that an installation needs to know', async () => {
    const { json } = await engine.get('/api/plugins/available');
    const slack = json.find((p) => p.id === 'slack');
    for (const field of ['id', 'name', 'version', 'author', 'description', 'categories', 'permissions',
      'config_schema', 'defaultConfig', 'trust'])
      assert.ok(slack[field] !== undefined, field);
    assert.equal(slack.trust, 'builtin');
    assert.equal(slack.defaultConfig.channel, '#alerts');
    assert.equal(slack.config_schema.webhook_url.required, true);
  });

  test('is installed, and shows its secret to nobody', async () => {
    const answer = await install();
    assert.equal(answer.installed, true);
    assert.deepEqual([answer.name, answer.version, answer.status], ['slack', '1.0.0', 'ready']);
    assert.deepEqual([answer.config.webhook_url, answer.config.channel], ['***', '#ops']);
    const { event } = await resultOf(engine, 'slack', 'alert', { title: 'x', severity: 'info' });
    const paths = ['/api/plugins/installed', '/api/plugins/available', `/api/events/${event}`,
      '/api/plugins/slack/logs', '/api/plugins/slack/metrics', '/api/plugins/slack/deliveries'];
    for (const { text, status } of await Promise.all(paths.map((p) => engine.get(p)))) {
      assert.equal(status, 200, text);
      assert.ok(!text.includes('sEcReT'), text);
    }
    assert.ok(!JSON.stringify(answer).includes('sEcReT'));
    assert.ok(!stored().includes('sEcReT'), 'the secret is on the disk');
    assert.ok(!engine.lines.some((line) => line.includes('sEcReT')), 'the secret is in the log');
  });

  for (const [severity, colour] of [['critical', 'danger'], ['error', 'danger'], ['warning', 'warning'],
    ['info', 'good'], ['debug', '#439FE0']])
    test(`tells of a ${severity} alert in ${colour}`, async () => {
      await install();
      receiver.reset();
      receiver.answer = answerAsSlack;
      const row = await resultOf(engine, 'slack', 'alert',
        { title: 'Disk <full> & 日本語', description: 'at 97 %', severity, labels: { host: 'db-3' } });
      assert.deepEqual([row.status, row.result], ['delivered', { sent: true, channel: '#ops' }]);
      assert.ok(row.duration_ms > 0);
      const [{ url, json }] = await receiver.got(1);
      assert.equal(url, `/services/${secret}`);
      assert.equal(json.channel, '#ops');
      assert.equal(json.attachments[0].color, colour);
      assert.equal(json.attachments[0].title, 'Disk &lt;full&gt; &amp; 日本語');
      assert.ok(json.attachments[0].fields.some((f) => f.title === 'host' && f.value === 'db-3'));
    });

  test('is refused where its webhook does not exist, and nothing is left of it', async () => {
    const got = await engine.post('/api/plugins/install',
      { source: 'slack', config: { webhook_url: `${receiver.url}/wrong/${secret}` } });
    assertProblem(got, 400);
    assert.match(got.json.detail, /404: no_service/);
    assert.ok(!got.text.includes('sEcReT'), got.text);
    assert.equal(await installed(engine, 'slack'), undefined);
    assert.ok(!engine.redis('hkeys', 'mh:{c}:plugins').includes('slack'));
  });

  test('waits as long as a busy Slack asks', async () => {
    await install();
    receiver.answer = (r) => (r.json.attachments ? { status: 429, headers: { 'retry-after': '1800' } } : {});
    const { event, status, error } = await resultOf(engine, 'slack', 'alert', { title: 'x' });
    assert.equal(status, 'failed');
    assert.match(error.message, /429/);
    const { deliveries: [delivery] } = (await engine.get(`/api/events/${event}`)).json;
    assert.equal(delivery.status, 'retrying');
    const wait_s = (Date.parse(delivery.next_attempt_at) - Date.parse(delivery.attempts[0].started_at)) / 1000;
    assert.ok(wait_s > 1790 && wait_s < 1830, `${wait_s} s`);
  });

  describe('is configured anew', () => {
    test('and a bad configuration is refused field by field; the old one stays', async () => {
      await install();
      const got = await engine.put('/api/plugins/slack/config', { webhook_url: 'ftp://x', channel: 7, colour: 'red' });
      assert.equal(got.status, 422);
      assert.deepEqual(got.json.errors.map((e) => e.pointer).sort(), ['/channel', '/colour', '/webhook_url']);
      const missing = await engine.put('/api/plugins/slack/config', { channel: '#x' });
      assertProblem(missing, 422, '/webhook_url');
      const row = await resultOf(engine, 'slack', 'alert', { title: 'x' });
      assert.deepEqual(row.result, { sent: true, channel: '#ops' });
    });

    test('and a secret given as *** stays as it is', async () => {
      await install();
      const answer = await engine.ok(200, engine.put('/api/plugins/slack/config',
        { webhook_url: '***', channel: '#new' }));
      assert.deepEqual([answer.updated, answer.config.webhook_url], [true, '***']);
      const row = await resultOf(engine, 'slack', 'alert', { title: 'x' });
      assert.deepEqual(row.result, { sent: true, channel: '#new' });
    });
  });

  test('is uninstalled and leaves no key', async () => {
    await install();
    await resultOf(engine, 'slack', 'alert', { title: 'x' });
    assert.deepEqual(await engine.ok(200, engine.delete('/api/plugins/slack')), { uninstalled: true });
    assertProblem(await engine.delete('/api/plugins/slack'), 404);
    assertProblem(await engine.get('/api/plugins/slack/logs'), 404);
    assert.equal((await engine.event('alert')).deliveries, 0);
    const keys = engine.redis('keys', '*').trim().split('\n');
    // What events tell of their deliveries goes with the events, after the retention.
    assert.deepEqual(keys.filter((k) => /slack/.test(k) && !/:(delivery|log):/.test(k)), []);
    assert.ok(!engine.redis('hkeys', 'mh:{c}:plugins').includes('slack'));
  });
});

describe('an installation', () => {
  test('of a folder works, once', async () => {
    const plugin = new PluginFolder('once', talk('hi'));
    const answer = await engine.ok(200, plugin.install(engine));
    assert.equal(answer.installed, true);
    assertProblem(await plugin.install(engine), 409);
    const row = await resultOf(engine, 'once', 'alert');
    assert.deepEqual([row.status, row.result], ['delivered', { says: 'hi' }]);
  });

  const refused = [
    ['an unknown name', 'nothing-here', /nothing-here/],
    ['a folder that is not there', 'file:/nowhere', /nowhere|no plugin/],
    ['a path instead of a name', '../plugins/slack', /source/],
    ['an empty source', '', /source/],
  ];
  for (const [name, source, detail] of refused)
    test(`of ${name} is refused`, async () => {
      const got = await engine.post('/api/plugins/install', { source });
      assertProblem(got, 400);
      assert.match(got.json.detail, detail);
    });

  const broken = [
    ['a syntax error names its line', '\n\nlocal x = = 1', /plugin\.lua:3/],
    ['an error at load names its line', '\nerror("no luck")', /plugin\.lua:2: no luck/],
    ['no table', 'return 7', /table/],
    ['a loop at load', 'while true do end', /time|deadline|long/],
    ['a permission that is none', 'return { name = "broken", version = "1", permissions = { "root" } }', /root|permission/],
    ['a description of 900 KB', 'return { name = "broken", version = "1", description = ("x"):rep(900000) }',
      /manifest is not valid: \/description must be at most 1000 bytes, not 900000/],
  ];
  for (const [i, [name, text, detail]] of broken.entries())
    test(`of a broken plugin is refused: ${name}`, async () => {
      const plugin = new PluginFolder(`broken-${i}`, '');
      plugin.writeText(text);
      const got = await plugin.install(engine);
      assertProblem(got, 400);
      assert.match(got.json.detail, detail);
      assert.deepEqual((await engine.get('/api/plugins/installed')).json, []);
    });

  test('whose setup fails is refused, and nothing is left of it', async () => {
    const plugin = new PluginFolder('upset', 'setup = function() error("not today") end,');
    const got = await plugin.install(engine);
    assertProblem(got, 400);
    assert.match(got.json.detail, /not today/);
    assert.deepEqual((await engine.get('/api/plugins/installed')).json, []);
    plugin.write(talk('now'));
    await engine.ok(200, plugin.install(engine));
  });

  test('outlives a restart of the engine', async () => {
    await engine.ok(200, new PluginFolder('lasting', talk('still here')).install(engine));
    await engine.stop();
    await engine.start();
    const row = await resultOf(engine, 'lasting', 'alert');
    assert.deepEqual(row.result, { says: 'still here' });
  });
});

describe('a reload', () => {
  test('serves the new version from then on', async () => {
    const plugin = new PluginFolder('changing', talk('old'));
    await engine.ok(200, plugin.install(engine));
    plugin.write(talk('new'), { version: '1.1.0' });
    assert.deepEqual((await resultOf(engine, 'changing', 'alert')).result, { says: 'old' });
    const answer = await engine.ok(200, engine.post('/api/plugins/changing/reload'));
    assert.deepEqual([answer.reloaded, answer.version], [true, '1.1.0']);
    assert.deepEqual((await resultOf(engine, 'changing', 'alert')).result, { says: 'new' });
  });

  const failures = [
    ['a syntax error, whose line it names', '\nlocal = 1', /plugin\.lua:2/],
    ['a setup that fails', 'return { name = "steady-1", version = "2", setup = function() error("no") end }', /no/],
    ['another name', 'return { name = "other", version = "2" }', /other/],
  ];
  for (const [i, [name, text, detail]] of failures.entries())
    test(`of ${name} is refused; the old version never stopped`, async () => {
      const plugin = new PluginFolder(`steady-${i}`, talk('old'));
      await engine.ok(200, plugin.install(engine));
      const { metrics: { pid } } = await installed(engine, plugin.name);
      plugin.writeText(text);
      const got = await engine.post(`/api/plugins/${plugin.name}/reload`);
      assert.ok([400, 409].includes(got.status), got.text);
      assert.match(got.json.detail, detail);
      assert.deepEqual((await resultOf(engine, plugin.name, 'alert')).result, { says: 'old' });
      const now = await installed(engine, plugin.name);
      assert.deepEqual([now.version, now.status, now.metrics.pid], ['1.0.0', 'ready', pid]);
    });

  test('that wants more than was approved is refused', async () => {
    const plugin = new PluginFolder('greedy', talk('old'));
    await engine.ok(200, plugin.install(engine));
    plugin.write('permissions = { "alerts:read", "http:evil.example" }, on_alert = function() end,');
    assertProblem(await engine.post('/api/plugins/greedy/reload'), 403);
    assert.deepEqual((await resultOf(engine, 'greedy', 'alert')).result, { says: 'old' });
  });

  test('loses nothing and does nothing twice while events pour in', async () => {
    const plugin = new PluginFolder('busy', `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      on_alert = function(alert) http.post("${receiver.url}/n", { json = { n = alert.n } }):expect(200) end,`,
      { before: 'local http = require "moonhook.http"' });
    await engine.ok(200, plugin.install(engine));
    const count = 300;
    const events = (async () => {
      for (let n = 0; n < count; n++) await engine.event('alert', { n });
    })();
    for (let i = 0; i < 5; i++) {
      await receiver.got(i * 50);
      await engine.ok(200, engine.post('/api/plugins/busy/reload'));
    }
    await events;
    const all = await receiver.got(count);
    await engine.idle();
    assert.equal(new Set(all.map((r) => r.json.n)).size, count);
    assert.equal(receiver.requests.length, count);
  });
});

describe('a plugin that is disabled', () => {
  test('gets nothing, until it is enabled again', async () => {
    await engine.ok(200, new PluginFolder('sleepy', talk('awake')).install(engine));
    const off = await engine.ok(200, engine.post('/api/plugins/sleepy/disable'));
    assert.equal(off.status, 'stopped');
    assert.equal((await engine.event('alert')).deliveries, 0);
    await engine.ok(200, engine.post('/api/plugins/sleepy/enable'));
    assert.deepEqual((await resultOf(engine, 'sleepy', 'alert')).result, { says: 'awake' });
  });
});
