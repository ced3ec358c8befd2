// plugin_permissions.test.mjs - what a manifest does not ask for is not to be had: the engine
// refuses it, logs the rule that refused it, and counts it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { PluginFolder, resultOf } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const engine = new Engine({ flags: ['--plugin-retry-schedule', '0s,1h'] });
const receiver = new Receiver();
let count = 0;

before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));

// Installs a plugin whose on_event is `body`; its name.
async function install(body, { permissions = [], more = '', config = {} } = {}) {
  const name = `asks-${++count}`;
  const all = ['events:read', ...permissions].map((p) => JSON.stringify(p)).join(', ');
  const folder = new PluginFolder(name, `permissions = { ${all} }, fail = "drop", ${more}
    on_event = function(event, ctx) ${body} end,`, { before: 'local http = require "moonhook.http"' });
  await engine.ok(200, folder.install(engine, config));
  return name;
}

const denials = (plugin, op) =>
  engine.metric('moonhook_requests_denied_total', `{plugin="${plugin}",op="${op}"}`);

describe('a request that the permissions do not name', () => {
  test('goes nowhere, and the error says so', async () => {
    const name = await install(`http.get("${receiver.url}/"):expect(200)`);
    const { error } = await resultOf(engine, name, 'x');
    assert.equal(error.code, 'denied');
    assert.equal(receiver.requests.length, 0);
  });

  test('is logged once with the rule that it lacked', async () => {
    const name = await install(`http.get("${receiver.url}/a?b=c"):expect(200)`);
    await resultOf(engine, name, 'x');
    const line = await engine.logged(new RegExp(`event=request_denied plugin=${name} `));
    assert.match(line, new RegExp(`hook=on_event delivery=\\S+~${name} op=http error=denied ` +
                                  `rule="http:127\\.0\\.0\\.1:${receiver.port}"`));
    assert.equal(engine.lines.filter((l) => l.includes(`request_denied plugin=${name} `)).length, 1);
  });

  test('does not show a secret that was its host', async () => {
    const name = await install('http.get("http://" .. ctx.config.key .. "/"):expect(200)', {
      more: 'config = { key = { type = "string", secret = true } },', config: { key: 'TopSecretWord' } });
    const { error } = await resultOf(engine, name, 'x');
    assert.equal(error.code, 'denied');
    await engine.logged(new RegExp(`event=request_denied plugin=${name} `));
    assert.ok(!engine.lines.some((l) => /topsecretword/i.test(l)));
  });

  test('is counted by plugin and kind', async () => {
    const name = await install(`http.get("${receiver.url}/") http.get("${receiver.url}/")`);
    await resultOf(engine, name, 'x');
    assert.equal(await denials(name, 'http'), 2);
    assert.equal(await engine.metric('moonhook_requests_total', `{plugin="${name}",op="http"}`), 2);
  });
});

describe('a hook that the permissions do not name', () => {
  test('is not called for an event that came while they did', async () => {
    const folder = new PluginFolder('shrinks', 'permissions = { "events:read" }, on_event = function() error("called") end,',
                                    { before: '' });
    await engine.ok(200, folder.install(engine));
    const { id } = await engine.event('x');
    const delivery = (count) => eventually(async () => {
      const mine = (await engine.get(`/api/events/${id}`)).json.deliveries.find((d) => d.target.id === 'shrinks');
      return mine.attempts?.length >= count && mine;
    }, `${count} attempts`);
    await delivery(1);
    folder.write('on_event = function() error("called") end,', { version: '2.0.0' });
    await engine.ok(200, engine.post('/api/plugins/shrinks/reload'));
    await engine.ok(202, engine.post(`/api/deliveries/${id}~shrinks/retry`));
    const { attempts, status } = await delivery(2);
    assert.equal(attempts.at(-1).error.code, 'denied');
    assert.match(attempts.at(-1).error.message, /no on_event with the permission events:read any more/);
    assert.equal(status, 'dead');
    await engine.logged(/hook_denied plugin=shrinks hook=on_event delivery=\S+ rule="events:read"/);
  });
});
