// endpoints.test.mjs - what an endpoint goes through: its own pace, an open circuit, being
// disabled, recovery; and that one that hangs is nobody else's trouble.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

const read = (engine, id) => engine.ok(200, engine.get(`/api/webhooks/${id}`));
const circuit = (engine, id, state) => eventually(
  async () => (await read(engine, id)).circuit === state, `a circuit that is ${state}`);

const storyOf = async (engine, event) =>
  (await engine.ok(200, engine.get(`/api/events/${event.id}`))).deliveries;
// The only delivery of an event, once it has this status.
const ended = (engine, event, status) => eventually(async () => {
  const [delivery] = await storyOf(engine, event);
  return delivery.status === status && delivery;
}, `a delivery that is ${status}`);

// Answers nothing until it is told to: a list of functions, one per request that waits.
function held() {
  const waiting = [];
  receiver.answer = () => new Promise((resolve) => waiting.push(resolve));
  return waiting;
}

function engineWith(...flags) {
  const engine = new Engine({ flags });
  before(() => engine.start());
  after(() => engine.stop());
  beforeEach(async () => {
    await engine.forgetWebhooks();
    receiver.reset();
  });
  return engine;
}

describe('an endpoint with a pace of its own', () => {
  const engine = engineWith('--retry-schedule', '0s,50ms,50ms', '--webhook-concurrency', '8');

  test('is retried on its own schedule', async () => {
    await engine.webhook(receiver.url, { retry_schedule: '0s,10ms,10ms,10ms,10ms' });
    receiver.answer = () => ({ status: 500 });
    assert.equal((await ended(engine, await engine.event('alert'), 'dead')).attempts.length, 5);
  });

  test('has the schedule of the server again when it gives up its own', async () => {
    const { id } = await engine.webhook(receiver.url, { retry_schedule: '0s' });
    await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { retry_schedule: null }));
    receiver.answer = () => ({ status: 500 });
    assert.equal((await ended(engine, await engine.event('alert'), 'dead')).attempts.length, 3);
  });

  test('keeps its settings over a restart', async () => {
    const own = { rate_limit: 2.5, concurrency: 3, timeout_ms: 700, retry_schedule: '0s,1s' };
    const { id } = await engine.webhook(receiver.url, own);
    await engine.stop();
    await engine.start();
    const { rate_limit, concurrency, timeout_ms, retry_schedule } = await read(engine, id);
    assert.deepEqual({ rate_limit, concurrency, timeout_ms, retry_schedule }, own);
  });

  test('is waited for as long as it says', async () => {
    await engine.webhook(receiver.url, { timeout_ms: 150, retry_schedule: '0s' });
    receiver.answer = () => ({ hang: true });
    const { attempts } = await ended(engine, await engine.event('alert'), 'dead');
    assert.deepEqual(attempts.map((a) => a.error.code), ['timeout']);
  });

  test('has no more requests at once than it says', async () => {
    const waiting = held();
    await engine.webhook(receiver.url, { concurrency: 2 });
    for (let n = 0; n < 6; n++) await engine.event('alert', { n });
    for (let done = 0; done < 6; done++) {
      await eventually(() => waiting.length > 0, 'a request');
      assert.ok(receiver.requests.length - done <= 2, `${receiver.requests.length} after ${done}`);
      waiting.shift()({});
    }
    await engine.idle();
    assert.equal(receiver.requests.length, 6);
  });

  test('gets no more attempts a second than it says', async () => {
    await engine.webhook(receiver.url, { rate_limit: 4 });
    const events = await Promise.all(Array.from({ length: 10 }, (_, n) => engine.event('alert', { n })));
    await receiver.got(10);
    await engine.idle();
    const began = [];
    for (const event of events)
      began.push(Date.parse((await storyOf(engine, event))[0].attempts[0].started_at));
    began.sort((a, b) => a - b);
    for (let i = 4; i < 10; i++)            // at once a second's worth, then one each 250 ms
      assert.ok(began[i] - began[0] >= (i - 3) * 250 - 2, began.map((at) => at - began[0]).join(' '));
  });

  test('gets first attempts before retries', async () => {
    const waiting = held();
    await engine.webhook(receiver.url, { concurrency: 1 });
    await engine.event('alert', { n: 'fails' });
    await receiver.got(1);
    await engine.event('alert', { n: 'long' });
    waiting.shift()({ status: 500 });
    await receiver.got(2);
    await eventually(async () => await engine.metric('moonhook_deliveries_owned') === 2,
                     'the retry in line behind the long one');
    await engine.event('alert', { n: 'new' });
    for (let n = 3; n <= 4; n++) {
      waiting.shift()({});
      await receiver.got(n);
    }
    waiting.shift()({});
    assert.deepEqual(receiver.requests.map((r) => r.json.data.n), ['fails', 'long', 'new', 'fails']);
    await engine.idle();
  });

  for (const status of [200, 400, 500])
    test(`that answers ${status} and abort-message gets that message no more`, async () => {
      const { id } = await engine.webhook(receiver.url);
      receiver.answer = () => ({ status, headers: { 'Webhook-Delivery': 'abort-message' } });
      const delivery = await ended(engine, await engine.event('alert'), 'dead');
      assert.equal(delivery.attempts.length, 1);
      assert.equal(delivery.attempts[0].error.message,
                   `the receiver answered ${status} and webhook-delivery: abort-message`);
      assert.equal((await read(engine, id)).active, true);
    });

  for (const [status, end] of [[200, 'delivered'], [404, 'dead'], [503, 'dead']])
    test(`that answers ${status} and disable gets nothing more`, async () => {
      const { id } = await engine.webhook(receiver.url);
      receiver.answer = () => ({ status, headers: { 'webhook-delivery': 'Disable' } });
      assert.equal((await ended(engine, await engine.event('alert'), end)).attempts.length, 1);
      const { active, disabled_reason: why, disabled_at: at } = await read(engine, id);
      assert.equal(active, false);
      assert.match(why, /webhook-delivery: disable/);
      assert.ok(Date.parse(at) > 0);
      assert.equal((await engine.event('alert')).deliveries, 0);
    });

  test('that asks for more than an hour is tried again in an hour', async () => {
    await engine.webhook(receiver.url);
    receiver.answer = () => ({ status: 503, headers: { 'retry-after': '99999999' } });
    const { next_attempt_at: next, attempts: [first] } =
      await ended(engine, await engine.event('alert'), 'retrying');
    const wait_s = (Date.parse(next) - Date.parse(first.started_at)) / 1000;
    assert.ok(wait_s >= 3600 && wait_s < 3630, `${wait_s} s`);
  });

  test('that asked for a pause keeps it over a restart, and an operator ends it', async () => {
    const { id } = await engine.webhook(receiver.url);
    receiver.answer = (_, n) => (n === 0 ? { status: 429, headers: { 'retry-after': '1800' } } : {});
    await ended(engine, await engine.event('alert'), 'retrying');
    const { paused_until: until } = await read(engine, id);
    assert.ok(until);
    await engine.stop();
    await engine.start();
    assert.ok(Math.abs(Date.parse((await read(engine, id)).paused_until) - Date.parse(until)) < 2000);
    const { id: second } = await engine.event('alert', { n: 2 });
    await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { active: true }));
    const [, request] = await receiver.got(2);
    assert.equal(request.json.id, second);
    assert.equal((await read(engine, id)).paused_until, null);
  });
});

describe('an endpoint that only fails', () => {
  const schedule = `0s${',100ms'.repeat(20)}`;
  const engine = engineWith('--retry-schedule', schedule, '--webhook-probe-after', '400ms');

  // Ten deliveries that fail until the circuit is open.
  async function failing(more = {}) {
    receiver.answer = (r) => (r.url === '/' ? { status: 500 } : {});
    const hook = await engine.webhook(`${receiver.url}/`, { events: ['alert'], ...more });
    for (let n = 0; n < 10; n++) await engine.event('alert', { n });
    await circuit(engine, hook.id, 'open');
    return hook;
  }

  test('is left alone but for one delivery, until that one gets through', async () => {
    const { id } = await failing();
    const { failing_since: since, circuit_since: opened, next_probe_at: next } = await read(engine, id);
    assert.ok(Date.parse(since) <= Date.parse(opened));
    assert.ok(Date.parse(next) > Date.parse(opened));
    assert.equal(await engine.metric('moonhook_webhooks', '{circuit="open"}'), 1);
    await engine.logged(new RegExp(`circuit_open webhook=${id} `));
    const before = receiver.requests.length, waiting = held();
    await receiver.got(before + 1);
    await circuit(engine, id, 'half_open');
    await engine.event('alert', { n: 'new' });      // whose acceptance would have begun it
    assert.equal(receiver.requests.length, before + 1);
    receiver.answer = () => ({});
    waiting.shift()({});
    await circuit(engine, id, 'closed');
    await engine.idle();
    const delivered = new Set(receiver.requests.slice(before).map((r) => r.json.id));
    assert.equal(delivered.size, 11);
    assert.equal((await read(engine, id)).failing_since, null);
  });

  test('is left alone again when the one delivery fails', async () => {
    const { id } = await failing();
    const before = receiver.requests.length, waiting = held();
    await receiver.got(before + 1);
    waiting.shift()({ status: 500 });
    await circuit(engine, id, 'open');
    assert.equal(receiver.requests.length, before + 1);
    receiver.answer = () => ({});
    await circuit(engine, id, 'closed');
  });

  test('takes deliveries again at once when an operator says so', async () => {
    const { id } = await failing();
    receiver.answer = () => ({});
    const got = await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { active: true }));
    assert.deepEqual([got.circuit, got.failing_since, got.next_probe_at], ['closed', null, null]);
  });

  test('keeps its pause of other changes', async () => {
    const { id } = await failing();
    const held_answers = held();
    const got = await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { description: 'x' }));
    assert.notEqual(got.circuit, 'closed');
    receiver.answer = () => ({});
    for (const answer of held_answers) answer({});
  });

  test('and recovers is told to who wants to know, once', async () => {
    await engine.webhook(`${receiver.url}/told`, { events: ['endpoint.*'], description: 'told' });
    const { id } = await failing({ description: 'the one' });
    const { failing_since: since } = await read(engine, id);
    receiver.answer = () => ({});
    await circuit(engine, id, 'closed');
    await engine.idle();
    const told = receiver.requests.filter((r) => r.url === '/told').map((r) => r.json);
    assert.deepEqual(told.map((e) => [e.event, e.data]), [['endpoint.recovered',
      { webhook_id: id, description: 'the one', failing_since: since }]]);
  });

  test('remembers since when over a restart', async () => {
    const { id } = await failing();
    await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { description: 'so it is stored' }));
    const { failing_since: since } = await read(engine, id);
    await engine.stop();
    await engine.start();
    assert.equal((await read(engine, id)).failing_since, since);
    receiver.answer = () => ({});
    await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { active: true }));
    await engine.stop();
    await engine.start();
    assert.equal((await read(engine, id)).failing_since, null);
  });
});

describe('an endpoint that fails for too long', () => {
  const engine = engineWith('--retry-schedule', `0s${',50ms'.repeat(30)}`,
                            '--webhook-disable-after', '800ms');

  test('is disabled, what waits for it cancelled, and its org told once', async () => {
    receiver.answer = (r) => (r.url === '/' ? { status: 500 } : {});
    await engine.webhook(`${receiver.url}/told`, { events: ['endpoint.*'], org_id: 'acme' });
    await engine.webhook(`${receiver.url}/other`, { events: ['endpoint.*'], org_id: 'globex' });
    const { id } = await engine.webhook(`${receiver.url}/`, { org_id: 'acme' });
    const events = await Promise.all([0, 1, 2, 3].map(
      (n) => engine.event('alert', { n }, { org_id: 'acme' })));
    const [{ json: told }] = await receiver.got(1, (r) => r.url === '/told');
    assert.equal(told.event, 'endpoint.disabled');
    assert.equal(told.data.webhook_id, id);
    assert.match(told.data.reason, /--webhook-disable-after/);
    assert.ok(!JSON.stringify(told).includes(receiver.url));
    const { active, disabled_reason: why } = await read(engine, id);
    assert.deepEqual([active, why], [false, told.data.reason]);
    for (const event of events)
      await eventually(async () => {
        const { deliveries } = await engine.ok(200, engine.get(`/api/events/${event.id}?org_id=acme`));
        return deliveries.find((d) => d.id.endsWith(id)).status === 'cancelled';
      }, 'a retry that is cancelled');
    await engine.idle();
    assert.equal(receiver.requests.filter((r) => r.url === '/told').length, 1);
    assert.equal(receiver.requests.filter((r) => r.url === '/other').length, 0);
    await engine.stop();
    await engine.start();
    assert.equal((await read(engine, id)).active, false);
  });

  test('is not disabled when it works in between', async () => {
    const { id } = await engine.webhook(receiver.url);
    receiver.answer = (_, n) => (n % 3 === 2 ? {} : { status: 500 });
    for (let n = 0; n < 12; n++) {
      await engine.event('alert', { n });
      await receiver.got((n + 1) * 3);
      await engine.idle();
    }
    assert.equal((await read(engine, id)).active, true);
  });
});

describe('attempts at all endpoints together', () => {
  const MOST = 8, EVENTS = 20;
  const engine = engineWith('--webhook-attempts', String(MOST), '--webhook-timeout', '2s',
                            '--webhook-probe-after', '500ms', '--retry-schedule', '0s');

  // Endpoints that hang: which of them had an attempt, and how many attempts there were at once.
  function hanging() {
    const tried = new Set();
    let now = 0, most = 0;
    receiver.answer = ({ url, aborted }) => {
      if (url === '/healthy') return {};
      now++;
      most = Math.max(most, now);
      tried.add(url);
      aborted.then(() => now--);
      return { hang: true };
    };
    return { tried, most: () => most };
  }

  const healthyGot = async () => {
    const all = await receiver.got(EVENTS, (r) => r.url === '/healthy');
    assert.equal(new Set(all.map((r) => r.json.data.n)).size, EVENTS);
  };

  test('leave a place for others, however many events wait for endpoints that hang', async () => {
    const slow = hanging();
    for (let n = 0; n < 3; n++) await engine.webhook(`${receiver.url}/hangs-${n}`);
    for (let n = 0; n < EVENTS; n++) await engine.event('alert', { n });
    await eventually(() => slow.most() > MOST / 2, 'attempts at endpoints that hang');
    await engine.webhook(`${receiver.url}/healthy`);
    for (let n = 0; n < EVENTS; n++) await engine.event('alert', { n });
    await healthyGot();
    assert.ok(slow.most() < MOST, `${slow.most()} attempts at endpoints that hang`);
  });

  test('are never more than may be, and each endpoint gets its turn', async () => {
    const slow = hanging(), ENDPOINTS = 30;
    for (let n = 0; n < ENDPOINTS; n++) await engine.webhook(`${receiver.url}/hangs-${n}`);
    await engine.webhook(`${receiver.url}/healthy`);
    for (let n = 0; n < EVENTS; n++) await engine.event('alert', { n });
    await healthyGot();
    await eventually(() => slow.tried.size === ENDPOINTS, 'an attempt at each endpoint');
    assert.ok(slow.most() <= MOST, `${slow.most()} attempts at once`);
  });
});

describe('endpoints that hang', () => {
  const engine = engineWith('--max-owned', '1000', '--webhook-timeout', '60s');
  const ENDPOINTS = 20, EVENTS = 100;

  test('leave every other endpoint all of its events, while they still hang', async () => {
    const slow = await new Receiver().start();
    slow.answer = () => ({ hang: true });
    for (let n = 0; n < ENDPOINTS; n++)
      await engine.webhook(`${n % 2 ? slow.url : receiver.url}/${n}`);
    for (let n = 0; n < EVENTS; n++) await engine.event('alert', { n });
    const all = await receiver.got(EVENTS * ENDPOINTS / 2);
    const got = new Map();
    for (const { url, json } of all) got.set(url, (got.get(url) ?? new Set()).add(json.data.n));
    assert.equal(got.size, ENDPOINTS / 2);
    for (const events of got.values()) assert.equal(events.size, EVENTS);
    assert.ok(slow.requests.length >= ENDPOINTS / 2, 'the others hang');
    const { items } = await engine.ok(200, engine.get('/api/webhooks'));
    assert.ok(items.every((hook) => hook.failing_since === null), 'none has timed out yet');
    await slow.stop();
  });
});
