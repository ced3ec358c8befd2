// limits.test.mjs - what a plugin may use: every breach is a typed error that names plugin,
// hook, limit and event, stands in the delivery's story and is counted.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { installed, PluginFolder, resultOf } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const engine = new Engine({ flags: ['--plugin-retry-schedule', '0s,10ms,10ms', '--hook-cpu', '1s'] });
const receiver = new Receiver();
let count = 0, name;

before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));
beforeEach(async () => {
  await engine.forgetPlugins();
  receiver.reset();
});

const PATTERN_BOMB = 'return ("a"):rep(200):find(".-.-.-.-b")';

async function install(body, { limits = '', fail = 'drop' } = {}) {
  name = `limited-${++count}`;
  const lua = `permissions = { "events:read", "http:127.0.0.1:${receiver.port}" }, fail = "${fail}",
    limits = { ${limits} }, on_event = function(event, ctx) ${body} end,`;
  const before = 'local http = require "moonhook.http"\nlocal log = require "moonhook.log"';
  await engine.ok(200, new PluginFolder(name, lua, { before }).install(engine));
}

const breaches = (limit) => engine.metric('moonhook_limit_breaches_total', `{plugin="${name}",limit="${limit}"}`);
const ask = () => resultOf(engine, name, 'x');

async function attemptsOf(event) {
  const { deliveries } = (await engine.get(`/api/events/${event}`)).json;
  return deliveries.find((d) => d.target.id === name);
}

// An error as every breach is: typed, and it names what it is about.
async function assertBreach({ event, error }, code, limit) {
  assert.equal(error.code, code, JSON.stringify(error));
  assert.deepEqual([error.limit, error.plugin, error.hook, error.event], [limit, name, 'on_event', event]);
  const { attempts: [attempt] } = await attemptsOf(event);
  assert.equal(attempt.error.limit, limit);
  assert.deepEqual(attempt.limits_reached, [limit]);
  assert.equal(await breaches(limit), 1);
}

describe('a hook that', () => {
  test('waits past its time is told so', async () => {
    receiver.answer = () => new Promise(() => {});
    await install(`http.get("${receiver.url}/never") while true do end`, { limits: 'timeout_ms = 300' });
    await assertBreach(await ask(), 'timeout', 'timeout_ms');
  });

  test('computes past its CPU time gets the line that was running', async () => {
    await install('while true do end', { limits: 'timeout_ms = 9000, cpu_ms = 100' });
    const got = await ask();
    await assertBreach(got, 'cpu_time', 'cpu_ms');
    assert.match(got.error.message, /^plugin\.lua:\d+: the hook has used up its 100 ms of CPU time \(limits\.cpu_ms\)$/);
  });

  test('cannot be interrupted is killed when its CPU time is over', async () => {
    await install(PATTERN_BOMB, { limits: 'timeout_ms = 9000, cpu_ms = 100' });
    const got = await ask();
    await assertBreach(got, 'cpu_time', 'cpu_ms');
    assert.equal(got.error.killed, true);
    assert.match(got.error.message, /limited-\d+: on_event of event evt_\w+ computed for longer than 100 ms/);
  });

  test('only waits uses no CPU time', async () => {
    receiver.answer = () => new Promise((done) => { setTimeout(done, 600, { body: 'late' }); });
    await install(`return { body = http.get("${receiver.url}/late").body }`, { limits: 'cpu_ms = 300' });
    assert.deepEqual((await ask()).result, { body: 'late' });
  });

  test('computes in many short turns is charged for all of them', async () => {
    await install(`while true do
      local till = os.clock() + 0.03
      while os.clock() < till do end
      http.get("${receiver.url}/")
    end`, { limits: 'timeout_ms = 9000, cpu_ms = 200' });
    await assertBreach(await ask(), 'cpu_time', 'cpu_ms');
  });

  test('fills its memory', async () => {
    await install('local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end', { limits: 'memory_mb = 8' });
    const got = await ask();
    await assertBreach(got, 'memory', 'memory_mb');
    assert.match(got.error.message, /limits\.memory_mb/);
  });

  test('returns more than it may', async () => {
    await install('return { text = ("x"):rep(2048) }', { limits: 'result_kb = 1' });
    await assertBreach(await ask(), 'bad_result', 'result_kb');
  });
});

describe('a plugin that', () => {
  test('logs faster than it may loses lines, and its story says so', async () => {
    await install('for i = 1, 50 do log.info("line %d", i) end return { fine = true }', { limits: 'log_lines_per_s = 5' });
    const { event, result } = await ask();
    assert.deepEqual(result, { fine: true });
    const { attempts: [attempt] } = await attemptsOf(event);
    assert.deepEqual(attempt.limits_reached, ['log_lines_per_s']);
    assert.ok(attempt.logs.length < 50, `${attempt.logs.length} lines`);
    assert.equal(await breaches('log_lines_per_s'), 1);
  });

  test('logs more bytes than it may as well', async () => {
    await install('for i = 1, 9 do log.info(("x"):rep(1000)) end', { limits: 'log_kb_per_s = 2' });
    const { attempts: [attempt] } = await attemptsOf((await ask()).event);
    assert.deepEqual(attempt.limits_reached, ['log_kb_per_s']);
  });

  test('has more requests under way than it may is refused the next one by name', async () => {
    const open = [];
    receiver.answer = () => new Promise((done) => open.push(() => done({ body: 'ok' })));
    await install(`http.get("${receiver.url}/"):expect(200) return { sent = true }`, { limits: 'requests = 1' });
    const first = ask();
    await receiver.got(1);
    const got = await ask();
    await assertBreach(got, 'limit', 'requests');
    assert.match(got.error.message, /limits\.requests/);
    open.forEach((answer) => answer());
    assert.deepEqual((await first).result, { sent: true });
  });

  test('asks for more than the operator allows gets what he allows', async () => {
    await install('return 1', { limits: 'cpu_ms = 900000, memory_mb = 900000' });
    const { limits } = await installed(engine, name);
    assert.deepEqual([limits.cpu_ms, limits.memory_mb], [1000, 64]);
  });

  test('names a limit that does not exist is refused', async () => {
    const folder = new PluginFolder(`limited-${++count}`, 'limits = { cpu_msec = 5 },');
    const got = await folder.install(engine);
    assert.equal(got.status, 400);
    assert.match(got.json.detail, /\/limits\/cpu_msec is no limit/);
  });
});

describe('an event that ends its process', () => {
  const body = `if event.event == "poison" then ${PATTERN_BOMB} end return { fine = true }`;
  const dead = async (event) => eventually(async () => {
    const delivery = await attemptsOf(event);
    return delivery.status === 'dead' && delivery;
  }, 'a dead letter');

  test('twice is a dead letter, whatever its schedule says, and its story tells why', async () => {
    await install(body, { limits: 'timeout_ms = 200', fail: 'retry' });
    const { id } = await engine.event('poison');
    const { attempts } = await dead(id);
    assert.equal(attempts.length, 2);
    assert.deepEqual(attempts.map((a) => a.error.killed), [true, true]);
    assert.equal(attempts[0].poison, undefined);
    assert.match(attempts[1].poison, /2 times/);
    assert.equal(await engine.metric('moonhook_deliveries_poison_total'), 1);
  });

  test('does not take the others with it', async () => {
    await install(body, { limits: 'timeout_ms = 200', fail: 'retry' });
    const events = await Promise.all(Array.from({ length: 20 }, (_, i) => engine.event(i === 7 ? 'poison' : 'calm')));
    const { id } = events.splice(7, 1)[0];
    await dead(id);
    await engine.idle();
    for (const event of events) {
      const { status, attempts } = await attemptsOf(event.id);
      assert.deepEqual([status, attempts.length], ['delivered', 1]);
    }
  });

  test('is still known as such when an operator tries it again', async () => {
    await install(body, { limits: 'timeout_ms = 200', fail: 'retry' });
    const { id } = await engine.event('poison');
    await dead(id);
    await engine.ok(202, engine.post(`/api/deliveries/${id}~${name}/retry`));
    await eventually(async () => (await attemptsOf(id)).attempts.length === 3, 'a third attempt');
    const { status, attempts } = await dead(id);
    assert.match(attempts[2].poison, /3 times/);
    assert.equal(status, 'dead');
  });
});
