// answers.test.mjs - what follows from a receiver's answer in the hours and days after it,
// under a clock that the test moves: pauses, an open circuit, disabling and recovery, and what
// else ends after a day.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Clock, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './lib/clock.mjs';
import { Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { eventually } from './lib/wait.mjs';

const ROUNDING_MS = 2;                  // Redis and the engine each cut to whole milliseconds
const STALL_MS = SECOND_MS;

const clock = new Clock();
const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

// A fresh engine for each group: managed Redis, both by the clock.
function engineWith(...flags) {
  const engine = new Engine({ env: clock.env,
                              flags: ['--redis-server', clock.program('redis-server'), ...flags] });
  before(() => engine.start());
  after(() => engine.stop());
  beforeEach(async () => {
    await engine.forgetWebhooks();
    receiver.reset();
  });
  return engine;
}

const read = (engine, id) => engine.ok(200, engine.get(`/api/webhooks/${id}`));
const storyOf = async (engine, { id }) => (await engine.ok(200, engine.get(`/api/events/${id}`))).deliveries;

// The event's delivery to `hook`, once `count` attempts have ended.
const attempted = (engine, event, count, hook) => eventually(async () => {
  const all = await storyOf(engine, event);
  const delivery = all.find((d) => !hook || d.target.id === hook.id);
  return delivery.attempts.length === count && delivery.status !== 'delivering' && delivery;
}, `attempt ${count} of ${event.id}`);

const ended = (attempt) => Date.parse(attempt.started_at) + attempt.duration_ms;
const at = (url) => (r) => r.url === url;
const countOf = (url) => receiver.requests.filter(at(url)).length;

describe('a receiver that asks for a pause', () => {
  const engine = engineWith('--webhook-disable-after', '0');
  const httpDate = (ms) => new Date(Math.floor(ms / 1000) * 1000).toUTCString();

  const cases = [
    ['429 and seconds', 429, () => '120', () => 120 * SECOND_MS],
    ['503 and seconds', 503, () => '3000', () => 3000 * SECOND_MS],
    ['an HTTP date', 429, (now) => httpDate(now + 10 * MINUTE_MS), () => 10 * MINUTE_MS],
    ['more seconds than an hour has', 429, () => '86400', () => HOUR_MS],
    ['a date of next week', 503, (now) => httpDate(now + 7 * DAY_MS), () => HOUR_MS],
  ];
  for (const [what, status, header, wait] of cases)
    test(`by ${what} gets nothing at all before that, at most an hour later, and then everything`, async () => {
      const hook = await engine.webhook(`${receiver.url}/paused`, { events: ['alert'] });
      await engine.webhook(`${receiver.url}/other`, { events: ['alert'] });
      let until;
      receiver.answer = ({ url }, n) => {
        if (url !== '/paused' || until !== undefined) return {};
        const text = header(clock.now());
        until = /^\d+$/.test(text) ? clock.now() + wait() : Math.min(Date.parse(text), clock.now() + wait());
        return { status, headers: { 'retry-after': text } };
      };
      const first = await engine.event('alert', { n: 1 });
      const { next_attempt_at: next, attempts: [refused] } = await attempted(engine, first, 1, hook);
      assert.ok(Date.parse(next) >= until - ROUNDING_MS, `next at ${next}, asked for ${new Date(until).toISOString()}`);
      assert.ok(Date.parse(next) <= ended(refused) + wait() + STALL_MS);
      const second = await engine.event('alert', { n: 2 });       // the endpoint's pause, not the delivery's
      await receiver.got(2, at('/other'));
      await clock.pass(until - clock.now() - 2 * SECOND_MS, engine);
      assert.ok((await read(engine, hook.id)).paused_until);
      assert.equal(countOf('/paused'), 1);
      await clock.pass(3 * SECOND_MS, engine);
      await receiver.got(3, at('/paused'));
      for (const [event, count] of [[first, 2], [second, 1]]) {
        const { attempts, status: end } = await attempted(engine, event, count, hook);
        assert.equal(end, 'delivered');
        assert.ok(Date.parse(attempts.at(-1).started_at) >= until - ROUNDING_MS, attempts.at(-1).started_at);
      }
      assert.equal((await read(engine, hook.id)).paused_until, null);
    });

  test('with a status other than 429 or 503 is tried again on the schedule', async () => {
    const hook = await engine.webhook(receiver.url, { events: ['alert'], retry_schedule: '0s,10s' });
    receiver.answer = (_, n) => (n ? {} : { status: 500, headers: { 'retry-after': '3000' } });
    const event = await engine.event('alert');
    await attempted(engine, event, 1);
    assert.equal((await read(engine, hook.id)).paused_until, null);
    await clock.pass(11 * SECOND_MS, engine);
    await attempted(engine, event, 2);
  });
});

describe('a receiver that wants no more', () => {
  const engine = engineWith();

  for (const [what, answer, reason] of [
    ['410', { status: 410 }, /410 Gone/],
    ['webhook-delivery: disable', { status: 500, headers: { 'webhook-delivery': 'disable' } }, /disable/],
  ])
    test(`and answers ${what} gets nothing more, however long one waits`, async () => {
      const hook = await engine.webhook(receiver.url, { events: ['alert'], retry_schedule: '0s,1m,1d' });
      receiver.answer = (r) => (r.json.data.last ? answer : { status: 500 });
      const waits = await engine.event('alert');
      await attempted(engine, waits, 1);
      const last = await engine.event('alert', { last: true });
      assert.equal((await attempted(engine, last, 1)).status, 'dead');
      assert.match((await read(engine, hook.id)).disabled_reason, reason);
      await clock.pass(2 * MINUTE_MS, engine);
      assert.equal((await attempted(engine, waits, 2)).status, 'cancelled');
      await clock.pass(10 * DAY_MS, engine);
      assert.equal((await engine.event('alert')).deliveries, 0);
      await engine.idle();
      assert.equal(receiver.requests.length, 2);
    });

  test('of one message gets that one no more, and the others on time', async () => {
    await engine.webhook(receiver.url, { events: ['alert'], retry_schedule: '0s,1h' });
    receiver.answer = (r, n) => (r.json.data.unwanted
      ? { status: 500, headers: { 'webhook-delivery': 'abort-message' } } : { status: n < 2 ? 500 : 200 });
    const unwanted = await engine.event('alert', { unwanted: true });
    const wanted = await engine.event('alert');
    assert.equal((await attempted(engine, unwanted, 1)).status, 'dead');
    await attempted(engine, wanted, 1);
    await clock.pass(1.2 * HOUR_MS, engine);
    assert.equal((await attempted(engine, wanted, 2)).status, 'delivered');
    assert.equal(receiver.requests.length, 3);
  });
});

describe('a receiver that only fails', () => {
  const engine = engineWith('--retry-schedule', '0s');

  const failOnce = async (data) => attempted(engine, await engine.event('alert', data), 1);
  const told = () => receiver.requests.filter(at('/told')).map((r) => r.json);

  async function failing() {
    await engine.webhook(`${receiver.url}/told`, { events: ['endpoint.*'] });
    receiver.answer = ({ url }) => ({ status: url === '/told' ? 200 : 500 });
    return engine.webhook(`${receiver.url}/fails`, { events: ['alert'] });
  }

  test('is disabled after five days, no sooner, and its org is told once', async () => {
    const hook = await failing();
    await failOnce();
    const { failing_since: since } = await read(engine, hook.id);
    for (const day of [1, 2, 3, 4]) {
      await clock.pass(DAY_MS, engine);
      await failOnce({ day });
    }
    await clock.pass(DAY_MS - HOUR_MS, engine);
    await failOnce();
    assert.equal((await read(engine, hook.id)).active, true);
    assert.equal((await read(engine, hook.id)).failing_since, since);
    await clock.pass(2 * HOUR_MS, engine);
    await failOnce();
    const [{ json: event }] = await receiver.got(1, at('/told'));
    assert.equal(event.event, 'endpoint.disabled');
    assert.deepEqual([event.data.webhook_id, event.data.failing_since], [hook.id, since]);
    assert.equal((await read(engine, hook.id)).active, false);
    assert.equal((await engine.event('alert')).deliveries, 0);
    await clock.pass(5 * DAY_MS, engine);
    await engine.idle();
    assert.equal(told().length, 1);
  });

  test('is not disabled for five days without an event', async () => {
    const hook = await failing();
    await failOnce();
    await clock.pass(30 * DAY_MS, engine);
    await failOnce();                       // the second failure in a month: too few to tell
    assert.equal((await read(engine, hook.id)).active, true);
  });

  test('for more than five minutes and recovers is told of once', async () => {
    const hook = await failing();
    await failOnce();
    const { failing_since: since } = await read(engine, hook.id);
    await clock.pass(6 * MINUTE_MS, engine);
    receiver.answer = () => ({});
    await failOnce();
    await failOnce();
    const [{ json: event }] = await receiver.got(1, at('/told'));
    assert.deepEqual([event.event, event.data.webhook_id, event.data.failing_since],
                     ['endpoint.recovered', hook.id, since]);
    await clock.pass(DAY_MS, engine);
    await failOnce();
    await engine.idle();
    assert.equal(told().length, 1);
  });

  test('for less than five minutes recovers without a word', async () => {
    await failing();
    await failOnce();
    await clock.pass(4 * MINUTE_MS, engine);
    receiver.answer = () => ({});
    await failOnce();
    await engine.idle();
    assert.equal(told().length, 0);
  });
});

describe('what lasts for a day', () => {
  const engine = engineWith('--retention', '1d');

  test('a former secret still signs then, and no longer', async () => {
    const hook = await engine.webhook(receiver.url);
    await engine.ok(200, engine.post(`/api/webhooks/${hook.id}/rotate-secret`));
    const signatures = async () => {
      const before = receiver.requests.length;
      await engine.event('alert');
      return (await receiver.got(before + 1)).at(-1).headers['webhook-signature'].split(' ').length;
    };
    assert.equal(await signatures(), 2);
    await clock.pass(DAY_MS - 5 * MINUTE_MS, engine);
    assert.equal(await signatures(), 2);
    await clock.pass(6 * MINUTE_MS, engine);
    assert.equal(await signatures(), 1);
  });

  test("a producer's id is known then, and a new event's later (Q3)", async () => {
    await engine.webhook(receiver.url);
    const send = () => engine.event('alert', {}, { id: 'own' });
    assert.equal((await send()).duplicate, undefined);
    await receiver.got(1);
    await engine.idle();
    await clock.pass(DAY_MS - 5 * MINUTE_MS, engine);
    assert.equal((await send()).duplicate, true);
    await clock.pass(10 * MINUTE_MS, engine);
    await eventually(async () => (await engine.get('/api/events/own')).status === 404, 'an event that was forgotten');
    assert.equal((await send()).duplicate, undefined);
    await receiver.got(2);
  });
});

describe('two engines on one Redis', () => {
  const redis = new Redis([], clock.env);
  const HEARTBEAT_MS = 4 * SECOND_MS;       // one that is silent for 5 s is taken for dead
  let engines;
  before(async () => {
    await redis.start();
    const options = { env: clock.env, flags: ['--redis', redis.url, '--retry-schedule', '0s,1s'] };
    const one = await new Engine(options).start();
    engines = [one, await new Engine({ ...options, data: one.data }).start()];
  });
  after(async () => {
    for (const engine of engines ?? []) await engine.stop();
    await redis.kill();
  });
  beforeEach(async () => {
    await engines[0].forgetWebhooks();
    receiver.reset();
  });
  const circuits = (hook, state) => eventually(async () => {
    const all = await Promise.all(engines.map((engine) => read(engine, hook.id)));
    return all.every(({ circuit }) => circuit === state);
  }, `circuits that are ${state}`);

  // Until it is `end`, in steps, with a heartbeat of each in between: which also take time.
  async function passUntil(end) {
    while (clock.now() < end) {
      await clock.pass(Math.min(end - clock.now(), HEARTBEAT_MS), ...engines);
      const now = clock.now();
      await eventually(async () => {
        const key = await redis.cli('--scan', '--pattern', 'mh:*:engines');
        const beats = (await redis.cli('ZRANGE', key, 0, -1, 'WITHSCORES')).split('\n');
        return beats.length === 4 && Number(beats[1]) >= now - 50 && Number(beats[3]) >= now - 50;
      }, 'a heartbeat of each engine');
    }
  }

  for (const wait_s of [10, 60])
    test(`both keep a pause of ${wait_s} s that the receiver told one of them`, async () => {
      const [one, other] = engines;
      const hook = await one.webhook(receiver.url, { events: ['alert'] });
      let until;
      receiver.answer = () => {
        if (until !== undefined) return {};
        until = clock.now() + wait_s * SECOND_MS;
        return { status: 429, headers: { 'retry-after': `${wait_s}` } };
      };
      const first = await one.event('alert', { n: 1 });
      await attempted(one, first, 1);
      await eventually(async () => (await read(other, hook.id)).paused_until, 'a pause that the other knows of');
      const second = await other.event('alert', { n: 2 });
      await passUntil(until - 4 * SECOND_MS);
      assert.equal(receiver.requests.length, 1);
      await passUntil(until + SECOND_MS);
      await receiver.got(3);
      for (const [event, count] of [[first, 2], [second, 1]]) {
        const { attempts } = await attempted(one, event, count);
        assert.ok(Date.parse(attempts.at(-1).started_at) >= until - ROUNDING_MS);
      }
    });

  test('both leave an endpoint alone whose circuit one of them opened, until one delivery got through', async () => {
    const [one, other] = engines;
    const hook = await one.webhook(receiver.url, { events: ['alert'], retry_schedule: `0s${',1s'.repeat(20)}` });
    receiver.answer = () => ({ status: 500 });
    for (let n = 0; n < 3; n++) await one.event('alert', { n });
    await receiver.got(3);
    await passUntil(clock.now() + 2 * SECOND_MS);
    await circuits(hook, 'open');
    const { next_probe_at: next } = await read(one, hook.id), before = receiver.requests.length;
    await other.event('alert', { n: 'other' });
    let answer;
    receiver.answer = (_, n) => (n > before ? {} : new Promise((resolve) => { answer = resolve; }));
    await passUntil(Date.parse(next) - 4 * SECOND_MS);
    assert.equal(receiver.requests.length, before);
    await passUntil(Date.parse(next) + 2 * SECOND_MS);
    await receiver.got(before + 1);
    await passUntil(Date.parse(next) + 4 * SECOND_MS);      // no second probe while the first is under way
    assert.equal(receiver.requests.length, before + 1);
    answer({});
    await circuits(hook, 'closed');
    await receiver.got(before + 4);
    assert.equal(new Set(receiver.requests.slice(before).map((r) => r.json.id)).size, 4);
  });
});

describe('an engine that starts again', () => {
  const engine = engineWith();

  test('keeps a circuit open that was open, and probes it on time', async () => {
    const hook = await engine.webhook(receiver.url, { events: ['alert'], retry_schedule: '0s,1s,1s,1s' });
    receiver.answer = () => ({ status: 500 });
    for (let n = 0; n < 3; n++) await engine.event('alert', { n });
    await receiver.got(3);
    await clock.pass(2 * SECOND_MS, engine);
    await eventually(async () => (await read(engine, hook.id)).circuit === 'open', 'an open circuit');
    await engine.stop();
    await engine.start();
    const { circuit, next_probe_at: next } = await read(engine, hook.id), before = receiver.requests.length;
    assert.equal(circuit, 'open');
    receiver.answer = () => ({});
    await engine.event('alert', { n: 'late' });
    await clock.pass(Date.parse(next) - clock.now() - 2 * SECOND_MS, engine);
    assert.equal((await read(engine, hook.id)).circuit, 'open');
    assert.equal(receiver.requests.length, before);
    await clock.pass(3 * SECOND_MS, engine);
    await receiver.got(before + 4);
    await eventually(async () => (await read(engine, hook.id)).circuit === 'closed', 'a closed circuit');
  });

  test('keeps the pause of a few seconds that a receiver asked for', async () => {
    const hook = await engine.webhook(receiver.url, { events: ['alert'] });
    receiver.answer = (_, n) => (n ? {} : { status: 429, headers: { 'retry-after': '20' } });
    await attempted(engine, await engine.event('alert'), 1);
    const { paused_until: until } = await read(engine, hook.id);
    await engine.stop();
    await engine.start();
    assert.ok(Math.abs(Date.parse((await read(engine, hook.id)).paused_until) - Date.parse(until)) < SECOND_MS);
    await clock.pass(21 * SECOND_MS, engine);
    await receiver.got(2);
  });

  test('knows nothing of an endpoint that was deleted', async () => {
    const hook = await engine.webhook(receiver.url, { events: ['alert'] });
    receiver.answer = () => ({ status: 429, headers: { 'retry-after': '20' } });
    await attempted(engine, await engine.event('alert'), 1);
    assert.equal(engine.redis('HEXISTS', 'mh:{c}:gates', hook.id).trim(), '1');
    await engine.ok(200, engine.delete(`/api/webhooks/${hook.id}`));
    await eventually(() => engine.redis('EXISTS', 'mh:{c}:gates').trim() === '0', 'no trace of it in Redis');
  });
});
