// schedules.test.mjs - when a failed delivery is tried again, under a clock that the test
// moves: whole schedules, days long, as they are by default.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Clock, SECOND_MS } from './lib/clock.mjs';
import { Engine } from './lib/engine.mjs';
import { PluginFolder } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually, PATIENCE_MS } from './lib/wait.mjs';

const DEFAULT_S = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400];
const PLUGIN_S = [2, 10, 60, 300, 1800];
const ROUNDING_MS = 2, STALL_MS = SECOND_MS;        // STALL: between an attempt's end and its planning

const clock = new Clock();
const receiver = new Receiver();
const engine = new Engine({ env: clock.env, flags: ['--redis-server', clock.program('redis-server')] });
before(() => Promise.all([receiver.start(), engine.start()]));
after(async () => {
  await engine.stop();
  await receiver.stop();
});
beforeEach(async () => {
  await engine.forgetWebhooks();
  receiver.reset();
});

// The event's only delivery, once `count` attempts have ended.
const attempted = (event, count) => eventually(async () => {
  const [delivery] = (await engine.ok(200, engine.get(`/api/events/${event.id}`))).deliveries;
  return delivery.attempts.length === count && delivery.status !== 'delivering' && delivery;
}, `attempt ${count} of ${event.id}`);

const started = (attempt) => Date.parse(attempt.started_at);

// Lets time pass until the delivery is dead: after its first attempt these waits follow, each
// with +-10 %, and no attempt begins before its time. Gives the delivery.
async function walk(event, waits_s) {
  let delivery = await attempted(event, 1);
  for (const [i, wait_s] of waits_s.entries()) {
    assert.equal(delivery.status, 'retrying');
    const last = delivery.attempts.at(-1), next = Date.parse(delivery.next_attempt_at);
    const wait_ms = next - (started(last) + last.duration_ms);
    assert.ok(wait_ms >= wait_s * 900 - ROUNDING_MS && wait_ms <= wait_s * 1100 + STALL_MS,
              `wait ${i + 1}: ${wait_ms} ms planned, ${wait_s} s +-10 % wanted`);
    await clock.pass(Math.max(0, next - clock.now() - SECOND_MS), engine);
    await clock.pass(SECOND_MS, engine);
    delivery = await attempted(event, i + 2);
    const late_ms = started(delivery.attempts.at(-1)) - next;
    assert.ok(late_ms >= -ROUNDING_MS && late_ms < PATIENCE_MS, `attempt ${i + 2} began ${late_ms} ms late`);
  }
  assert.equal(delivery.status, 'dead');
  assert.equal(delivery.next_attempt_at, null);
  return delivery;
}

describe('a webhook that always fails', () => {
  test('is tried ten times over three days, each attempt at its time, and then dead', async () => {
    await engine.webhook(receiver.url);
    receiver.answer = () => ({ status: 500 });
    const { attempts } = await walk(await engine.event('alert'), DEFAULT_S);
    const hours = (started(attempts.at(-1)) - started(attempts[0])) / 3_600_000;
    assert.ok(hours > 68 && hours < 84, `${hours} h`);
    assert.equal(receiver.requests.length, 10);
    assert.equal(new Set(receiver.requests.map((r) => r.headers['webhook-id'])).size, 1);
  });

  test('signs each attempt anew, as of its own time', async () => {
    await engine.webhook(receiver.url, { retry_schedule: '0s,1h,1d' });
    receiver.answer = () => ({ status: 500 });
    const { attempts } = await walk(await engine.event('alert'), [3600, 86400]);
    const signed = receiver.requests.map((r) => Number(r.headers['webhook-timestamp']));
    assert.deepEqual(signed, attempts.map((a) => Math.floor(started(a) / 1000)));
    assert.equal(new Set(receiver.requests.map((r) => r.headers['webhook-signature'])).size, 3);
  });

  test('has a schedule of its own where it was given one', async () => {
    await engine.webhook(receiver.url, { retry_schedule: '0s,20s,40m,3d' });
    receiver.answer = () => ({ status: 500 });
    await walk(await engine.event('alert'), [20, 2400, 259200]);
  });

  test('is delivered when an attempt succeeds days later, and tried no more', async () => {
    await engine.webhook(receiver.url, { retry_schedule: '0s,2d,2d', events: ['alert'] });
    receiver.answer = (_, n) => ({ status: n === 0 ? 500 : 200 });
    const event = await engine.event('alert');
    await attempted(event, 1);
    await clock.pass(2.3 * 86400 * SECOND_MS, engine);
    assert.equal((await attempted(event, 2)).status, 'delivered');
    await clock.pass(10 * 86400 * SECOND_MS, engine);
    assert.equal(await engine.metric('moonhook_deliveries_due'), 0);
    assert.equal(receiver.requests.length, 2);
  });

  for (const status of [301, 302, 303, 307, 308])
    test(`by a redirect ${status} is tried again on the schedule, and the redirect not followed`, async () => {
      await engine.webhook(`${receiver.url}/here`, { retry_schedule: '0s,10m' });
      receiver.answer = () => ({ status, headers: { location: `${receiver.url}/there` } });
      const { attempts } = await walk(await engine.event('alert'), [600]);
      assert.deepEqual(attempts.map((a) => a.response.status), [status, status]);
      assert.deepEqual(receiver.requests.map((r) => r.url), ['/here', '/here']);
    });
});

describe('a hook that always fails', () => {
  beforeEach(() => engine.forgetPlugins());

  async function install(name, body) {
    const plugin = new PluginFolder(name, `permissions = { "alerts:read" },
      on_alert = function(alert, ctx) ${body} end,`, { before: 'local retry = require "moonhook.retry"' });
    await engine.ok(200, plugin.install(engine));
  }

  test("is tried six times on the plugins' own schedule, and then dead", async () => {
    await install('always-fails', 'error("no")');
    await walk(await engine.event('alert'), PLUGIN_S);
  });

  test('is tried again when it said itself, not before', async () => {
    await install('names-its-wait', 'if ctx.event.attempt == 1 then error(retry.after(5400)) end');
    const event = await engine.event('alert');
    const { next_attempt_at: next, attempts: [first] } = await attempted(event, 1);
    const wait_ms = Date.parse(next) - (started(first) + first.duration_ms);
    assert.ok(wait_ms >= 5400 * SECOND_MS - ROUNDING_MS && wait_ms <= 5400 * SECOND_MS + STALL_MS, `${wait_ms}`);
    await clock.pass(5399 * SECOND_MS, engine);
    await clock.pass(SECOND_MS, engine);
    const { status, attempts } = await attempted(event, 2);
    assert.equal(status, 'delivered');
    assert.ok(started(attempts[1]) >= Date.parse(next) - ROUNDING_MS);
  });
});
