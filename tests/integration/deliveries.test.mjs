// deliveries.test.mjs - what happens when a receiver does not say 200 at once: retries,
// their story, their end, and what an operator can do.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { assertProblem, Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

// The only delivery of an event, once it has one of these states.
function ended(engine, event, ...states) {
  return eventually(async () => {
    const { deliveries: [delivery] } = await engine.ok(200, engine.get(`/api/events/${event.id}`));
    return states.includes(delivery.status) && delivery;
  }, `a delivery that is ${states.join(' or ')}`);
}

const statuses = (delivery) => delivery.attempts.map((a) => a.response?.status ?? a.error.code);

describe('a delivery', () => {
  const engine = new Engine({ flags: ['--retry-schedule', '0s,50ms,50ms'] });
  before(() => engine.start());
  after(() => engine.stop());
  beforeEach(async () => {
    await engine.forgetWebhooks();
    receiver.reset();
  });

  // The receiver's first answers; then 200.
  const answers = (...list) => { receiver.answer = (_, n) => list[n] ?? {}; };

  test('that fails once is tried again with the same id, and its story told', async () => {
    answers({ status: 500, body: 'out of order' });
    await engine.webhook(receiver.url);
    const event = await engine.event('alert', { n: 1 });
    const delivery = await ended(engine, event, 'delivered');
    const [first, second] = receiver.requests;
    assert.deepEqual([first.headers['webhook-id'], second.headers['webhook-id']], [event.id, event.id]);
    assert.equal(first.body, second.body);
    assert.deepEqual(delivery.attempts.map((a) => [a.number, a.status]), [[1, 'failed'], [2, 'delivered']]);
    const [attempt] = delivery.attempts;
    assert.deepEqual([attempt.request.method, attempt.request.url], ['POST', receiver.url]);
    assert.deepEqual([attempt.response.status, attempt.response.body], [500, 'out of order']);
    assert.deepEqual(attempt.error, { code: 'status', message: 'the receiver answered 500' });
    assert.equal(attempt.address, `127.0.0.1:${receiver.port}`);
    assert.ok(attempt.duration_ms > 0 && attempt.timing.total_ms > 0);
    assert.ok(Date.parse(attempt.started_at) <= Date.parse(delivery.attempts[1].started_at));
    assert.equal(delivery.next_attempt_at, null);
  });

  test('that fails to the end of the schedule is dead', async () => {
    receiver.answer = () => ({ status: 503 });
    await engine.webhook(receiver.url);
    const delivery = await ended(engine, await engine.event('alert'), 'dead');
    assert.deepEqual(statuses(delivery), [503, 503, 503]);
    assert.equal(receiver.requests.length, 3);
    assert.ok(await eventually(() => engine.metric('moonhook_deliveries_dead'), 'a dead letter'));
  });

  test('that is dead is made again when an operator asks', async () => {
    answers({ status: 500 }, { status: 500 }, { status: 500 });
    await engine.webhook(receiver.url);
    const event = await engine.event('alert');
    const { id } = await ended(engine, event, 'dead');
    const got = await engine.ok(202, engine.post(`/api/deliveries/${id}/retry`));
    assert.deepEqual(got, { id, status: 'pending' });
    const delivery = await ended(engine, event, 'delivered');
    assert.deepEqual(statuses(delivery), [500, 500, 500, 200]);
    assert.equal(receiver.requests[3].headers['webhook-id'], event.id);
    assert.deepEqual(await engine.ok(200, engine.get(`/api/deliveries/${id}`)), delivery);
  });

  test('that is dead and made again has the whole schedule before it', async () => {
    receiver.answer = () => ({ status: 503 });
    await engine.webhook(receiver.url);
    const event = await engine.event('alert');
    for (const attempts of [3, 6, 9]) {
      const { id } = await ended(engine, event, 'dead');
      const made = (await engine.get(`/api/deliveries/${id}`)).json.attempts.length;
      assert.equal(made, attempts);
      await engine.ok(202, engine.post(`/api/deliveries/${id}/retry`));
      await receiver.got(attempts + 1);
    }
  });

  test('that is under way is not begun a second time', async () => {
    let release;
    receiver.answer = () => new Promise((resolve) => { release = () => resolve({}); });
    const { id: target } = await engine.webhook(receiver.url);
    const { id } = await engine.event('alert');
    await receiver.got(1);
    assertProblem(await engine.post(`/api/deliveries/${id}~${target}/retry`), 409);
    release();
    await ended(engine, { id }, 'delivered');
    assert.equal(receiver.requests.length, 1);
  });

  test('that was never meant for a target cannot be made by asking for it', async () => {
    const other = await engine.webhook(`${receiver.url}/other`, { org_id: 'globex' });
    const quiet = await engine.webhook(`${receiver.url}/quiet`, { events: ['error'], org_id: 'acme' });
    const { key } = await engine.ok(201, engine.post('/api/keys',
      { org_id: 'acme', scopes: ['events:write', 'webhooks:write'] }));
    const acme = engine.client(key);
    const { id } = await acme.event('alert');
    for (const target of [other.id, quiet.id, 'wh_none', 'slack'])
      assertProblem(await acme.post(`/api/deliveries/${id}~${target}/retry`), 404);
    await engine.idle();
    assert.equal(receiver.requests.length, 0);
  });

  for (const id of ['evt_x~wh_y', 'evt_x', '~', 'a~b~c', '..~..', 'x'.repeat(150)])
    test(`that is none (${id.slice(0, 12)}) is a 404`, async () => {
      assertProblem(await engine.get(`/api/deliveries/${id}`), 404);
      assertProblem(await engine.post(`/api/deliveries/${id}/retry`), 404);
    });

  for (const status of [301, 302, 307, 308])
    test(`that is answered ${status} has failed; the redirect is not followed`, async () => {
      receiver.answer = () => ({ status, headers: { location: `${receiver.url}/elsewhere` } });
      await engine.webhook(receiver.url);
      const delivery = await ended(engine, await engine.event('alert'), 'dead');
      assert.deepEqual(statuses(delivery), [status, status, status]);
      assert.ok(receiver.requests.every((r) => r.url === '/'));
    });

  for (const status of [200, 201, 202, 204, 299])
    test(`that is answered ${status} is delivered`, async () => {
      receiver.answer = () => ({ status, body: status === 204 ? undefined : 'ok' });
      await engine.webhook(receiver.url);
      await ended(engine, await engine.event('alert'), 'delivered');
    });

  test('that is answered 410 is dead at once and disables its endpoint', async () => {
    receiver.answer = () => ({ status: 410 });
    const { id } = await engine.webhook(receiver.url);
    const delivery = await ended(engine, await engine.event('alert'), 'dead');
    assert.deepEqual(statuses(delivery), [410]);
    const endpoint = (await engine.get(`/api/webhooks/${id}`)).json;
    assert.equal(endpoint.active, false);
    assert.match(endpoint.disabled_reason, /410/);
    assert.equal((await engine.event('alert')).deliveries, 0);
    const again = await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { active: true }));
    assert.deepEqual([again.active, again.disabled_reason], [true, undefined]);
    assert.equal((await engine.event('alert')).deliveries, 1);
  });

  test('that waits for its retry is not made once its endpoint is inactive', async () => {
    const { id } = await engine.webhook(receiver.url);
    receiver.answer = async () => {
      await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { active: false }));
      return { status: 500 };
    };
    const event = await engine.event('alert');
    await ended(engine, event, 'cancelled');
    assert.equal(receiver.requests.length, 1);
  });

  test('that waits is cancelled when its endpoint is removed', async () => {
    const { id } = await engine.webhook(receiver.url);
    receiver.answer = async () => {
      await engine.ok(200, engine.delete(`/api/webhooks/${id}`));
      return { status: 500 };
    };
    const event = await engine.event('alert');
    const delivery = await ended(engine, event, 'cancelled');
    assert.equal(delivery.event, 'alert');
    assert.equal(receiver.requests.length, 1);
  });

  for (const [name, value] of [['seconds', () => '1800'],
    ['a date', () => new Date(Date.now() + 1800_000).toUTCString()]])
    test(`that is answered 429 waits as Retry-After says, in ${name}`, async () => {
      receiver.answer = () => ({ status: 429, headers: { 'retry-after': value() } });
      await engine.webhook(receiver.url);
      const { next_attempt_at: next, attempts } = await ended(engine, await engine.event('alert'), 'retrying');
      const wait_s = (Date.parse(next) - Date.parse(attempts[0].started_at)) / 1000;
      assert.ok(wait_s > 1790 && wait_s < 1830, `${wait_s} s`);
    });

  test('to an endpoint that asked for a pause waits, and no other endpoint does', async () => {
    answers({ status: 429, headers: { 'retry-after': '1' } });
    await engine.webhook(`${receiver.url}/busy`, { events: ['alert'] });
    await engine.webhook(`${receiver.url}/free`, { events: ['alert', 'error'] });
    receiver.answer = (r, n) => (r.url === '/busy' && n < 2 ? { status: 429, headers: { 'retry-after': '1' } } : {});
    const first = await engine.event('alert', { n: 1 });
    await receiver.got(2);
    const paused = async () => (await engine.get(`/api/events/${first.id}`)).json.deliveries
      .some((d) => d.status === 'retrying');
    await eventually(paused, 'a pause');
    await engine.event('alert', { n: 2 });
    const all = await receiver.got(5);
    assert.deepEqual(all.filter((r) => r.url === '/free').map((r) => r.json.data.n), [1, 2]);
    assert.deepEqual(all.filter((r) => r.url === '/busy').map((r) => r.json.data.n).sort(), [1, 1, 2]);
    const story = (await engine.get(`/api/events/${first.id}`)).json.deliveries;
    const [one, two] = story.find((d) => d.attempts.length === 2).attempts;
    assert.ok(Date.parse(two.started_at) - Date.parse(one.started_at) >= 1000);
  });

  test('keeps the beginning of a long answer', async () => {
    receiver.answer = () => ({ status: 500, body: 'é'.repeat(20_000) });
    await engine.webhook(receiver.url);
    const delivery = await ended(engine, await engine.event('alert'), 'dead');
    assert.match(delivery.attempts[0].response.body, /^é{500,2000}$/);
  });

  test('answered with bytes that are no text keeps count of its attempts', async () => {
    receiver.answer = () => ({ status: 500, body: Buffer.from([0, 1, 2, 0xff]) });
    await engine.webhook(receiver.url);
    const delivery = await ended(engine, await engine.event('alert'), 'dead');
    assert.deepEqual(delivery.attempts.map((a) => [a.number, a.response.body]),
                     [[1, '(binary)'], [2, '(binary)'], [3, '(binary)']]);
  });

  for (const [name, answer] of [
    ['an answer without end', { body: 'x'.repeat(3_000_000) }],
    ['a small answer that unpacks to a huge one',
      { headers: { 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(30_000_000)) }]])
    test(`takes the status of ${name}, without reading it all`, async () => {
      receiver.answer = (_, n) => (n === 0 ? answer : {});
      await engine.webhook(receiver.url);
      const delivery = await ended(engine, await engine.event('alert'), 'delivered', 'dead');
      assert.equal(delivery.attempts.length, 1);
      assert.equal(delivery.attempts[0].response.status, 200);
      assert.equal(delivery.attempts[0].response.truncated, true);
      assert.ok(delivery.attempts[0].response.body.length <= 2048);
    });

  test('whose receiver is not there fails with the reason', async () => {
    const gone = await new Receiver().start();
    await gone.stop();
    await engine.webhook(gone.url);
    const delivery = await ended(engine, await engine.event('alert'), 'dead');
    assert.deepEqual(statuses(delivery), ['connect', 'connect', 'connect']);
    assert.ok(delivery.attempts[0].error.message.length > 0);
  });

  test('that hangs does not slow the deliveries of another endpoint', async () => {
    const slow = await new Receiver().start();
    slow.answer = () => ({ hang: true });
    await engine.webhook(slow.url, { org_id: 'many' });
    await engine.webhook(receiver.url, { org_id: 'many' });
    await Promise.all(Array.from({ length: 200 }, (_, n) => engine.event('alert', { n }, { org_id: 'many' })));
    const all = await receiver.got(200);
    assert.equal(new Set(all.map((r) => r.json.data.n)).size, 200);
    await slow.stop();
  });
});

describe("an endpoint's deliveries", () => {
  const engine = new Engine({ flags: ['--retry-schedule', '0s,50ms'] });
  before(() => engine.start());
  after(() => engine.stop());
  beforeEach(async () => {
    await engine.forgetWebhooks();
    receiver.reset();
  });

  async function walk(path, limit, meanwhile = async () => {}) {
    const seen = [];
    let cursor = '';
    do {
      const page = await engine.ok(200, engine.get(
        `${path}?limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`));
      assert.ok(page.items.length <= limit);
      seen.push(...page.items.map((d) => d.event_id));
      cursor = page.next;
      await meanwhile(page.items);
    } while (cursor !== null && seen.length < 1000);
    return seen;
  }

  async function fill(count) {
    const ids = [];
    for (let n = 0; n < count; n++) {
      ids.unshift((await engine.event('alert', { n })).id);
      await receiver.got(n + 1);
      await engine.idle();
    }
    return ids;
  }

  test('come newest first in pages that neither skip nor repeat', async () => {
    const { id } = await engine.webhook(receiver.url);
    const ids = await fill(23);
    for (const limit of [1, 7, 23, 50])
      assert.deepEqual(await walk(`/api/webhooks/${id}/deliveries`, limit), ids, `limit ${limit}`);
  });

  test('come so while new ones arrive and old ones are made again', async () => {
    const { id } = await engine.webhook(receiver.url);
    const ids = await fill(12);
    const seen = await walk(`/api/webhooks/${id}/deliveries`, 3, async (items) => {
      const before = receiver.requests.length;
      await engine.event('alert', { new: true });
      const again = new Set([...items.slice(-1).map((d) => d.id), `${ids.at(-1)}~${id}`]);
      for (const delivery of again) await engine.ok(202, engine.post(`/api/deliveries/${delivery}/retry`));
      await receiver.got(before + 1 + again.size);
      await engine.idle();
    });
    assert.deepEqual(seen, ids);
  });

  test('can be asked for by status', async () => {
    const { id } = await engine.webhook(receiver.url);
    receiver.answer = (r) => ({ status: r.json.data.bad ? 500 : 200 });
    const bad = await engine.event('alert', { bad: true });
    await engine.event('alert');
    await ended(engine, bad, 'dead');
    await engine.idle();
    for (const [status, count] of [['dead', 1], ['delivered', 1], ['cancelled', 0]]) {
      const { items } = (await engine.get(`/api/webhooks/${id}/deliveries?status=${status}`)).json;
      assert.deepEqual(items.map((d) => d.status), Array(count).fill(status));
    }
  });

  test('are not shown to the key of another org', async () => {
    const { id } = await engine.webhook(receiver.url, { org_id: 'acme' });
    const { key } = await engine.ok(201, engine.post('/api/keys',
      { org_id: 'globex', scopes: ['webhooks:read', 'events:read', 'webhooks:write'] }));
    const event = await engine.event('alert', {}, { org_id: 'acme' });
    await receiver.got(1);
    const other = engine.client(key);
    assertProblem(await other.get(`/api/webhooks/${id}/deliveries`), 404);
    assertProblem(await other.get(`/api/deliveries/${event.id}~${id}`), 404);
    assertProblem(await other.post(`/api/deliveries/${event.id}~${id}/retry`), 404);
  });
});

describe('a receiver that does not answer', () => {
  const engine = new Engine({ flags: ['--retry-schedule', '0s,50ms', '--webhook-timeout', '200ms'] });
  before(() => engine.start());
  after(() => engine.stop());
  beforeEach(() => receiver.reset());

  test('is given up after the time-out, and tried again', async () => {
    receiver.answer = () => ({ hang: true });
    await engine.webhook(receiver.url);
    const delivery = await ended(engine, await engine.event('alert'), 'dead');
    assert.deepEqual(statuses(delivery), ['timeout', 'timeout']);
    assert.equal(receiver.requests.length, 2);
  });
});

describe('an address that is private', () => {
  const engine = new Engine({ loopback: false, flags: ['--retry-schedule', '0s'] });
  before(() => engine.start());
  after(() => engine.stop());
  beforeEach(async () => {
    await engine.forgetWebhooks();
    receiver.reset();
  });

  for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0',
    '10.0.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '[fd00::1]', '[64:ff9b::7f00:1]'])
    test(`${host} is not dialled unless it is allowed`, async () => {
      await engine.webhook(`http://${host}:${receiver.port}/`);
      const delivery = await ended(engine, await engine.event('alert'), 'dead');
      assert.deepEqual(statuses(delivery), ['blocked']);
      assert.equal(receiver.requests.length, 0);
    });
});

describe('a delivery that nobody can make any more', () => {
  const engine = new Engine({ flags: ['--retry-schedule', '0s,1h'] });
  before(() => engine.start());
  after(() => engine.stop());
  beforeEach(() => engine.forgetWebhooks());

  // One that failed once and waits for its second attempt.
  async function waiting() {
    receiver.answer = () => ({ status: 500 });
    const { id } = await engine.webhook(receiver.url);
    const event = await engine.event('alert');
    await ended(engine, event, 'retrying');
    return { id, event, key: `default/${event.id}~${id}` };
  }

  const makeDue = (key) => engine.redis('zadd', 'mh:{q}:due', 'XX', '0', key);
  const logged = (id) => eventually(async () => {
    const { items: [one] } = await engine.ok(200, engine.get(`/api/webhooks/${id}/deliveries`));
    return one?.status === 'cancelled' && one;
  }, 'a cancelled delivery');

  test('because its event is gone keeps its type and its attempts in the log', async () => {
    const { id, event, key } = await waiting();
    engine.redis('del', `mh:{q}:event:default/${event.id}`);
    makeDue(key);
    const told = await logged(id);
    assert.deepEqual([told.event, told.reason, told.next_attempt_at, statuses(told)],
                     ['alert', 'the event is no longer stored', null, [500]]);
  });

  test('because its event went before the first attempt has no type, rather than an empty one', async () => {
    const { id, event, key } = await waiting();
    engine.redis('del', `mh:{q}:event:default/${event.id}`, `mh:{q}:delivery:${key}`);
    makeDue(key);
    const told = await logged(id);
    assert.deepEqual([told.event, told.attempts], [null, []]);
  });

  test('because its endpoint is gone keeps its type and its attempts', async () => {
    const { id, event, key } = await waiting();
    await engine.kill();
    engine.redis('hdel', 'mh:{c}:webhooks', id);
    makeDue(key);
    await engine.start();
    const told = await ended(engine, event, 'cancelled');
    assert.deepEqual([told.event, told.reason, statuses(told)], ['alert', 'the target was removed', [500]]);
    const stored = JSON.parse(engine.redis('get', `mh:{q}:delivery:${key}`));
    assert.equal(stored.event, 'alert');
  });
});
