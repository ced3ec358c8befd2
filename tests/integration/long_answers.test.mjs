// long_answers.test.mjs - what a service answers at length is gone through for secrets in parts,
// while the engine serves others: nothing of a secret comes through where a part ends, and the
// answer goes with its hook, its plugin and its configuration. tests/unit/test_conceal.c compares
// every end of a part; here the real programs are at it. Where a test says "meanwhile", the answer
// is all of escapes, which is the slowest that there is.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { installed, PluginFolder, resultOf } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';

const MOST = 2 * 1024 * 1024;
const SECRETS = 8;
const engine = new Engine({ flags: ['--plugin-retry-schedule', '0s', '--hook-cpu', '9s', '--hook-timeout', '20s'] });
const receiver = new Receiver();
let count = 0, name, secrets;

before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));
beforeEach(async () => {
  await engine.forgetPlugins();
  receiver.reset();
});

const fresh = () => Array.from({ length: SECRETS }, () => randomBytes(18).toString('base64url'));
const configOf = (values) => Object.fromEntries(values.map((value, i) => [`s${i}`, value]));
const SLOW = '%41\\u0042&#67;'.repeat(MOST / 14);

// The hook tells how long the answer was, how often each secret's token is in it, and its end.
async function install({ timeout = 15000, setup = '' } = {}) {
  name = `long-${++count}`;
  secrets = fresh();
  const config = secrets.map((_, i) => `s${i} = { type = "string", secret = true }`).join(', ');
  const lua = `permissions = { "events:read", "http:127.0.0.1:${receiver.port}" },
    limits = { timeout_ms = ${timeout}, memory_mb = 64, cpu_ms = 9000 }, config = { ${config} }, ${setup}
    on_event = function(event, ctx)
      local body = http.get("${receiver.url}" .. event.data.path).body
      if not body then return { none = true } end
      local tokens = 0
      for i = 0, ${SECRETS - 1} do tokens = tokens + select(2, body:gsub(ctx.config["s" .. i], "")) end
      return { bytes = #body, tokens = tokens, last = body:sub(-20), first = body:sub(1, 20) }
    end,`;
  const folder = new PluginFolder(name, lua, { before: 'local http = require "moonhook.http"' });
  await engine.ok(200, folder.install(engine, configOf(secrets)));
}

const ask = (path = '/') => resultOf(engine, name, 'x', { path });

// Resolves when an answer has been sent whole: the engine is at it then, or about to be.
function slowAnswer() {
  return new Promise((sent) => {
    receiver.answer = (request) => {
      if (request.url !== '/slow') return { body: 'short' };
      setImmediate(sent);
      return { body: SLOW };
    };
  });
}

describe('a long answer', () => {
  test('of secrets from end to end has a token for each', async () => {
    await install();
    const parts = [];
    let bytes = 0, filler = 0;
    while (bytes < MOST - 200) {
      const part = secrets[parts.length % SECRETS] + '.'.repeat(filler++ % 97);
      parts.push(part);
      bytes += part.length;
    }
    receiver.answer = () => ({ body: parts.join('') });
    const { result } = await ask();
    assert.equal(result.tokens, parts.length);
    assert.equal(result.bytes, bytes + parts.length * ('mhs_'.length + 32 - secrets[0].length));
  });

  test('without any arrives as it was sent', async () => {
    await install();
    receiver.answer = () => ({ body: `begin${'x'.repeat(MOST - 8)}end` });
    assert.deepEqual((await ask()).result, { bytes: MOST, tokens: 0, first: `begin${'x'.repeat(15)}`,
      last: `${'x'.repeat(17)}end` });
  });

  test('is as many as there are: each hook gets its own', async () => {
    await install();
    receiver.answer = ({ url }) => ({ body: `${url}${'y'.repeat(300_000)}${secrets[0]}${url}` });
    const paths = Array.from({ length: 20 }, (_, i) => `/${String(i).padStart(3, '0')}`);
    const all = await Promise.all(paths.map(ask));
    all.forEach(({ result }, i) => {
      assert.equal(result.tokens, 1);
      assert.deepEqual([result.first.slice(0, 4), result.last.slice(-4)], [paths[i], paths[i]]);
    });
  });

  test('that holds more than may come in at once leaves room when it was taken', async () => {
    await install();
    receiver.answer = () => ({ body: 'z'.repeat(MOST) });
    for (let round = 0; round < 3; round++) {
      const all = await Promise.all(Array.from({ length: 7 }, () => ask()));
      assert.deepEqual(all.map(({ result }) => result.bytes), Array(7).fill(MOST));
    }
  });
});

describe('meanwhile', () => {
  test('a short answer overtakes', async () => {
    await install();
    const sent = slowAnswer(), order = [];
    const slow = ask('/slow').then((got) => { order.push('slow'); return got; });
    await sent;
    const quick = await ask('/short').then((got) => { order.push('short'); return got; });
    assert.equal(quick.result.bytes, 5);
    assert.equal((await slow).result.bytes, SLOW.length);
    assert.deepEqual(order, ['short', 'slow']);
  });

  test('the hook\'s time may be over, which ends it and not the process', async () => {
    await install({ timeout: 200 });
    const sent = slowAnswer(), { pid } = await installed(engine, name);
    const slow = ask('/slow');
    await sent;
    const { error } = await slow;
    assert.equal(error?.code, 'timeout', JSON.stringify(error));
    assert.equal((await ask('/short')).result.bytes, 5);
    assert.equal((await installed(engine, name)).pid, pid);
  });

  test('the plugin may be uninstalled', async () => {
    await install();
    const sent = slowAnswer(), gone = name;
    const slow = ask('/slow').catch(() => null);
    await sent;
    await engine.ok(200, engine.delete(`/api/plugins/${gone}`));
    await slow;
    await install();
    assert.equal((await ask('/short')).result.bytes, 5);
  });

  test('the plugin may be disabled, and serves again afterwards', async () => {
    await install();
    const sent = slowAnswer();
    const slow = ask('/slow').catch(() => null);
    await sent;
    await engine.ok(200, engine.post(`/api/plugins/${name}/disable`));
    await engine.ok(200, engine.post(`/api/plugins/${name}/enable`));
    await slow;
    assert.equal((await ask('/short')).result.bytes, 5);
  });

  test('the secrets may be changed: the answer hides those that its hook has', async () => {
    await install();
    const former = secrets;
    const body = SLOW.slice(0, -100) + former[0];
    const sent = new Promise((resolve) => {
      receiver.answer = () => { setImmediate(resolve); return { body }; };
    });
    const slow = ask('/slow');
    await sent;
    secrets = fresh();
    await engine.ok(200, engine.put(`/api/plugins/${name}/config`, configOf(secrets)));
    const { result } = await slow;
    assert.equal(result.tokens, 1);
    assert.match(result.last, /^[0-9a-f]{20}$/);
    receiver.answer = () => ({ body: former[0] + secrets[0] });
    assert.equal((await ask()).result.tokens, 1, 'and the next one the new ones');
  });

  test('the engine may stop', async () => {
    await install();
    const sent = slowAnswer();
    const slow = ask('/slow').catch(() => null);
    await sent;
    await engine.stop();
    await slow;
    await engine.start();
    assert.equal((await ask('/short')).result.bytes, 5);
  });
});
