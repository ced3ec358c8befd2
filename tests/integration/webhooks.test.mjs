// webhooks.test.mjs - webhook endpoints: made, changed, removed; what they get and how
// it is signed.
import assert from 'node:assert/strict';
import { createHmac, createPublicKey, verify } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { assertProblem, Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';

const engine = new Engine();
const receiver = new Receiver();

before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));
beforeEach(async () => {
  await engine.forgetWebhooks();
  receiver.reset();
});

// All bytes of the managed Redis's append-only file.
function storedText() {
  const dir = join(engine.data, 'redis');
  return readdirSync(dir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile())
    .map((f) => readFileSync(join(f.path, f.name), 'latin1')).join('');
}

describe('an endpoint', () => {
  test('is made with what it is given, or with defaults', async () => {
    const got = await engine.post('/api/webhooks', { url: receiver.url });
    assert.equal(got.status, 201);
    const { id, secret, created_at: at, ...rest } = got.json;
    assert.match(id, /^wh_/);
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
    assert.deepEqual(rest, { org_id: 'default', url: receiver.url, events: ['*'], active: true,
                             description: '', headers: {}, rate_limit: null, concurrency: null,
                             timeout_ms: null, retry_schedule: null, ed25519: false, filter: [], public_key: null,
                             secrets: [{ ends_at: null }], circuit: 'closed',
                             circuit_since: null, next_probe_at: null, paused_until: null,
                             failing_since: null });
  });

  test('is listed, read, changed and removed', async () => {
    const { id, secret, ...made } = await engine.webhook(receiver.url, { events: ['alert'] });
    assert.ok(secret);
    assert.deepEqual((await engine.get('/api/webhooks')).json, { items: [{ id, ...made }], next: null });
    assert.deepEqual((await engine.get(`/api/webhooks/${id}`)).json, { id, ...made });
    const changed = await engine.ok(200, engine.patch(`/api/webhooks/${id}`,
      { description: 'ünï', headers: { 'X-Team': 'ops' } }));
    assert.deepEqual(changed, { id, ...made, description: 'ünï', headers: { 'X-Team': '***' } });
    assert.deepEqual((await engine.get(`/api/webhooks/${id}`)).json, changed);
    await engine.ok(200, engine.delete(`/api/webhooks/${id}`));
    assertProblem(await engine.get(`/api/webhooks/${id}`), 404);
    assert.deepEqual((await engine.get('/api/webhooks')).json.items, []);
  });

  const refused = [
    ['no address', {}, '/url'],
    ['an address that is no text', { url: 7 }, '/url'],
    ['an address of another scheme', { url: 'ftp://x.example' }, '/url'],
    ['an address with a password', { url: 'http://u:p@x.example' }, '/url'],
    ['an address with a blank', { url: 'http://x.example/a b' }, '/url'],
    ['an address in numbers', { url: 'http://2130706433/' }, '/url'],
    ['no events', { url: 'http://x.example', events: [] }, '/events'],
    ['a pattern with a star inside', { url: 'http://x.example', events: ['alert', 'a*b'] }, '/events/1'],
    ['an event that is no text', { url: 'http://x.example', events: [1] }, '/events/0'],
    ['a header that is ours', { url: 'http://x.example', headers: { 'Webhook-Id': 'x' } }, '/headers/Webhook-Id'],
    ['a header that looks like ours', { url: 'http://x.example', headers: { 'X-Mission-Control-Event': 'x' } },
      '/headers/X-Mission-Control-Event'],
    ['a header with a line break', { url: 'http://x.example', headers: { 'X-A': 'a\r\nX-B: b' } }, '/headers/X-A'],
    ['a header that is no text', { url: 'http://x.example', headers: { 'X-A': 1 } }, '/headers/X-A'],
    ['an unknown field', { url: 'http://x.example', secret: 'mine' }, '/secret'],
    ['a rate of nothing', { url: 'http://x.example', rate_limit: 0 }, '/rate_limit'],
    ['a rate as text', { url: 'http://x.example', rate_limit: '5' }, '/rate_limit'],
    ['more at once than the server allows', { url: 'http://x.example', concurrency: 65 }, '/concurrency'],
    ['none at once', { url: 'http://x.example', concurrency: 0 }, '/concurrency'],
    ['a longer time-out than the server allows', { url: 'http://x.example', timeout_ms: 15001 }, '/timeout_ms'],
    ['a time-out that nobody can keep', { url: 'http://x.example', timeout_ms: 1.5 }, '/timeout_ms'],
    ['a schedule that is none', { url: 'http://x.example', retry_schedule: 'soon' }, '/retry_schedule'],
    ['a schedule as a list', { url: 'http://x.example', retry_schedule: ['0s'] }, '/retry_schedule'],
    ['a filter with an unknown operator', { url: 'http://x.example',
      filter: [{ pointer: '/data/a', op: 'ne', value: 1 }] }, '/filter/0/op'],
    ['active as text', { url: 'http://x.example', active: 'yes' }, '/active'],
  ];
  for (const [name, body, pointer] of refused)
    test(`with ${name} is refused at ${pointer}, and none is made`, async () => {
      assertProblem(await engine.post('/api/webhooks', body), 422, pointer);
      assert.deepEqual((await engine.get('/api/webhooks')).json.items, []);
    });

  test('keeps what it was when a change is refused', async () => {
    const { id, secret, ...made } = await engine.webhook(receiver.url);
    assert.ok(secret);
    assertProblem(await engine.patch(`/api/webhooks/${id}`, { description: 'new', url: 'x' }), 422, '/url');
    assertProblem(await engine.patch(`/api/webhooks/${id}`, { org_id: 'other' }), 422, '/org_id');
    assert.deepEqual((await engine.get(`/api/webhooks/${id}`)).json, { id, ...made });
  });

  test('is not there for the key of another org', async () => {
    const { id } = await engine.webhook(receiver.url, { org_id: 'acme' });
    const { key } = await engine.ok(201, engine.post('/api/keys',
      { org_id: 'globex', scopes: ['webhooks:read', 'webhooks:write'] }));
    const other = engine.client(key);
    assert.deepEqual((await other.get('/api/webhooks')).json.items, []);
    assertProblem(await other.get(`/api/webhooks/${id}`), 404);
    assertProblem(await other.patch(`/api/webhooks/${id}`, { active: false }), 404);
    assertProblem(await other.delete(`/api/webhooks/${id}`), 404);
    assertProblem(await other.post(`/api/webhooks/${id}/test`), 404);
    assertProblem(await other.get(`/api/webhooks/${id}/deliveries`), 404);
    assertProblem(await other.post('/api/webhooks', { url: receiver.url, org_id: 'acme' }), 403);
  });

  test('shows its secret once and never again, not even on the disk', async () => {
    const { id, secret } = await engine.webhook(receiver.url);
    const { id: event } = await engine.event('alert', { title: 'x' });
    await receiver.got(1);
    await engine.idle();
    const answers = [engine.get('/api/webhooks'), engine.get(`/api/webhooks/${id}`),
      engine.patch(`/api/webhooks/${id}`, { description: 'd' }), engine.post(`/api/webhooks/${id}/test`),
      engine.get(`/api/webhooks/${id}/deliveries`), engine.get(`/api/events/${event}`),
      engine.get('/metrics')];
    const raw = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const forms = [secret, secret.slice('whsec_'.length), raw.toString('hex'), raw.toString('latin1')];
    for (const { text, status } of await Promise.all(answers)) {
      assert.ok(status < 300, text);
      for (const form of forms) assert.ok(!text.includes(form), text);
    }
    const disk = storedText();
    assert.ok(disk.includes(id), 'the endpoint itself is on the disk');
    for (const form of [...forms, engine.key]) assert.ok(!disk.includes(form), 'a secret is on the disk');
    for (const form of [...forms, engine.key])
      assert.ok(!engine.lines.some((line) => line.includes(form)), 'a secret is in the log');
  });

  test('is tested by an event that goes to it alone', async () => {
    const one = await engine.webhook(`${receiver.url}/one`, { events: ['alert'] });
    await engine.webhook(`${receiver.url}/two`);
    const { id, deliveries } = await engine.ok(202, engine.post(`/api/webhooks/${one.id}/test`));
    assert.equal(deliveries, 1);
    const [{ json }] = await receiver.got(1);
    await engine.idle();
    assert.deepEqual(receiver.requests.map((r) => r.url), ['/one']);
    assert.equal(json.event, 'webhook.test');
    assert.equal(json.id, id);
  });

  test('survives a restart of the engine, with its secret', async () => {
    const { secret } = await engine.webhook(receiver.url, { description: 'stays' });
    await engine.stop();
    await engine.start();
    assert.equal((await engine.get('/api/webhooks')).json.items[0].description, 'stays');
    await engine.event('alert');
    const [{ body, headers }] = await receiver.got(1);
    new Webhook(secret).verify(body, headers);
  });
});

describe('a filter', () => {
  const severe = [{ pointer: '/data/severity', op: 'in', value: ['critical', 'error'] }];
  const dryRun = async (id, body) =>
    (await engine.ok(200, engine.post(`/api/webhooks/${id}/filter-test`, body))).items;

  test('chooses events by what is in them', async () => {
    await engine.webhook(`${receiver.url}/severe`, { filter: severe });
    await engine.webhook(`${receiver.url}/high`, { events: ['alert'], filter: [...severe,
      { pointer: '/data/value', op: 'gt', value: 90 }, { pointer: '/data/muted', op: 'exists', value: false }] });
    const counts = [];
    for (const [type, data] of [['alert', { severity: 'critical', value: 91 }], ['alert', { severity: 'info' }],
      ['error', { severity: 'error', value: 99 }], ['alert', { severity: 'error', value: 95, muted: true }]])
      counts.push((await engine.event(type, data)).deliveries);
    assert.deepEqual(counts, [2, 0, 1, 1]);
    await engine.idle();
    assert.deepEqual(receiver.requests.map((r) => r.url).sort(), ['/high', '/severe', '/severe', '/severe']);
  });

  test('is changed and kept over a restart', async () => {
    const { id } = await engine.webhook(receiver.url, { filter: severe });
    await engine.stop();
    await engine.start();
    assert.equal((await engine.event('alert', { severity: 'info' })).deliveries, 0);
    await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { filter: [] }));
    assert.equal((await engine.event('alert', { severity: 'info' })).deliveries, 1);
  });

  test('is tried against stored events, and says why one does not match', async () => {
    const { id } = await engine.webhook(receiver.url, { events: ['alert'], filter: severe });
    const ids = [];
    for (const [type, data] of [['alert', { severity: 'error' }], ['alert', { severity: 'info' }],
      ['alert', {}], ['sla_breach', { severity: 'error' }]])
      ids.push((await engine.event(type, data)).id);
    const items = await dryRun(id, { event_ids: [...ids, 'evt_none'] });
    assert.deepEqual(items, [
      { id: ids[0], event: 'alert', matches: true, why: null },
      { id: ids[1], event: 'alert', matches: false,
        why: '/data/severity is "info", which is not one of ["critical","error"]' },
      { id: ids[2], event: 'alert', matches: false, why: '/data/severity is missing' },
      { id: ids[3], event: 'sla_breach', matches: false,
        why: 'none of its event patterns matches the type "sla_breach"' },
      { id: 'evt_none', event: null, matches: false, why: 'no event of this id is stored for its org' }]);
  });

  test('that is not set yet is tried before it is', async () => {
    const { id } = await engine.webhook(receiver.url, { events: ['error'] });
    const event = await engine.event('alert', { n: 5 });
    const filter = [{ pointer: '/data/n', op: 'lt', value: 5 }];
    const [item] = await dryRun(id, { event_ids: [event.id], events: ['*'], filter });
    assert.equal(item.why, '/data/n is 5, which is not less than 5');
    const kept = (await engine.get(`/api/webhooks/${id}`)).json;
    assert.deepEqual([kept.events, kept.filter], [['error'], []]);
  });

  test('is tried against an event that is in the question, and nothing is sent', async () => {
    const { id } = await engine.webhook(receiver.url, { filter: severe });
    const [item] = await dryRun(id, { event: 'alert', data: { severity: 'error' } });
    assert.deepEqual([item.event, item.matches, item.why], ['alert', true, null]);
    await engine.idle();
    assert.equal(receiver.requests.length, 0);
  });

  test('is tried against the newest events of its org, more than a page of the index holds', async () => {
    const org_id = 'newest', padding = 'x'.repeat(900_000);
    const { id } = await engine.webhook(receiver.url, { org_id, events: ['alert'], active: false });
    const ids = [];
    for (let n = 0; n < 7; n++)
      ids.unshift((await engine.event(n % 2 ? 'alert' : 'error', { padding }, { org_id })).id);
    await engine.event('alert', {});
    const items = await dryRun(id, { newest: 6 });
    assert.deepEqual(items.map((i) => i.id), ids.slice(0, 6));
    assert.deepEqual(items.map((i) => i.matches), [false, true, false, true, false, true]);
    const both = await dryRun(id, { newest: 100, event_ids: ['evt_none'] });
    assert.deepEqual(both.map((i) => i.id), ['evt_none', ...ids]);
  });

  test("does not see another org's events", async () => {
    const { id } = await engine.webhook(receiver.url, { org_id: 'acme' });
    const event = await engine.event('alert', {}, { org_id: 'globex' });
    const [item] = await dryRun(id, { event_ids: [event.id] });
    assert.deepEqual([item.matches, item.event], [false, null]);
  });

  for (const [name, body, pointer] of [
    ['no event', {}, '/event_ids'], ['an event without data', { event: 'alert' }, '/data'],
    ['data without an event', { event_ids: ['evt_1'], data: {} }, '/event'],
    ['an id that is none', { event_ids: ['a/b'] }, '/event_ids/0'],
    ['too many ids', { event_ids: Array(101).fill('evt_1') }, '/event_ids'],
    ['none of the newest', { newest: 0 }, '/newest'], ['too many of the newest', { newest: 101 }, '/newest'],
    ['a filter that is none', { event_ids: ['evt_1'], filter: [{}] }, '/filter/0'],
    ['an unknown field', { event_ids: ['evt_1'], last: 5 }, '/last']])
    test(`is not tried with ${name}`, async () => {
      const { id } = await engine.webhook(receiver.url);
      assertProblem(await engine.post(`/api/webhooks/${id}/filter-test`, body), 422, pointer);
    });
});

describe('an endpoint whose secret is rotated', () => {
  const rotate = (id, body) => engine.ok(200, engine.post(`/api/webhooks/${id}/rotate-secret`, body));
  const verifies = (secret, { body, headers }) => {
    try {
      return Boolean(new Webhook(secret).verify(body, headers));
    } catch {
      return false;
    }
  };

  test('signs with both while they overlap, the newest first', async () => {
    const { id, secret: old } = await engine.webhook(receiver.url);
    const { secret, secrets } = await rotate(id);
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.notEqual(secret, old);
    const [{ ends_at: newest }, { ends_at: ends }] = secrets;
    assert.equal(newest, null);
    const left_h = (Date.parse(ends) - Date.now()) / 3600_000;
    assert.ok(left_h > 23.9 && left_h <= 24, `${left_h} h`);
    await engine.event('alert');
    const [request] = await receiver.got(1);
    assert.deepEqual([verifies(secret, request), verifies(old, request)], [true, true]);
    const [first] = request.headers['webhook-signature'].split(' ');
    assert.ok(verifies(secret, { ...request, headers: { ...request.headers, 'webhook-signature': first } }));
    assert.equal(request.headers['x-mission-control-signature'],
                 createHmac('sha256', secret).update(request.body).digest('hex'));
  });

  test('signs with the new one alone when no overlap is wanted', async () => {
    const { id, secret: old } = await engine.webhook(receiver.url);
    const { secret, secrets } = await rotate(id, { overlap: '0s' });
    assert.deepEqual(secrets, [{ ends_at: null }]);
    await engine.event('alert');
    const [request] = await receiver.got(1);
    assert.deepEqual([verifies(secret, request), verifies(old, request)], [true, false]);
  });

  test('keeps its live secrets over a restart and a change', async () => {
    const { id, secret: old } = await engine.webhook(receiver.url);
    const { secret, secrets } = await rotate(id, { overlap: '2h' });
    await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { description: 'changed' }));
    await engine.stop();
    await engine.start();
    assert.deepEqual((await engine.get(`/api/webhooks/${id}`)).json.secrets, secrets);
    await engine.event('alert');
    const [request] = await receiver.got(1);
    assert.deepEqual([verifies(secret, request), verifies(old, request)], [true, true]);
    for (const one of [secret, old]) assert.ok(!storedText().includes(one));
  });

  test('is refused a sixth live secret, and told what to do', async () => {
    const { id } = await engine.webhook(receiver.url);
    for (let n = 0; n < 4; n++) await rotate(id);
    const got = await engine.post(`/api/webhooks/${id}/rotate-secret`);
    assertProblem(got, 409);
    assert.match(got.json.detail, /overlap of 0s/);
  });

  for (const overlap of ['soon', '-1s', '366d'])
    test(`is refused an overlap of ${overlap}`, async () => {
      const { id } = await engine.webhook(receiver.url);
      assertProblem(await engine.post(`/api/webhooks/${id}/rotate-secret`, { overlap }), 422, '/overlap');
    });
});

describe('an endpoint with an Ed25519 key', () => {
  // The key as Node wants it: the fixed DER head of a raw Ed25519 public key, and the key.
  const publicKey = (text) => createPublicKey({ format: 'der', type: 'spki', key: Buffer.concat([
    Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(text.slice('whpk_'.length), 'base64')]) });

  function assertSigned({ body, headers }, key, secret) {
    const [v1, v1a] = headers['webhook-signature'].split(' ');
    const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    assert.match(v1a, /^v1a,/);
    assert.ok(verify(null, Buffer.from(text), publicKey(key), Buffer.from(v1a.slice(4), 'base64')));
    new Webhook(secret).verify(body, { ...headers, 'webhook-signature': v1 });
    new Webhook(secret).verify(body, headers);
  }

  test('signs with it as well, and shows its public half', async () => {
    const { public_key: key, secret } = await engine.webhook(receiver.url, { ed25519: true });
    assert.match(key, /^whpk_[A-Za-z0-9+/]{43}=$/);
    await engine.event('alert', { title: '日本語' });
    assertSigned((await receiver.got(1))[0], key, secret);
  });

  test('keeps the key over a change and a restart, and never shows its private half', async () => {
    const { id, public_key: key, secret } = await engine.webhook(receiver.url, { ed25519: true });
    const { text } = await engine.patch(`/api/webhooks/${id}`, { description: 'x' });
    assert.ok(!text.includes('whsk_'));
    await engine.stop();
    await engine.start();
    assert.equal((await engine.get(`/api/webhooks/${id}`)).json.public_key, key);
    await engine.event('alert');
    assertSigned((await receiver.got(1))[0], key, secret);
    assert.ok(!storedText().includes('whsk_'));
  });

  test('gives it up, and gets another', async () => {
    const { id, public_key: key } = await engine.webhook(receiver.url, { ed25519: true });
    assert.equal((await engine.patch(`/api/webhooks/${id}`, { ed25519: false })).json.public_key, null);
    await engine.event('alert');
    assert.ok(!(await receiver.got(1))[0].headers['webhook-signature'].includes('v1a'));
    const again = (await engine.patch(`/api/webhooks/${id}`, { ed25519: true })).json.public_key;
    assert.match(again, /^whpk_/);
    assert.notEqual(again, key);
  });
});

describe('what arrives', () => {
  test('is a POST of JSON with the headers that are promised', async () => {
    await engine.webhook(`${receiver.url}/path?q=1`);
    const { id } = await engine.event('alert', { title: 'x' });
    const [{ method, url, headers, json }] = await receiver.got(1);
    assert.deepEqual([method, url, json.id], ['POST', '/path?q=1', id]);
    assert.equal(headers['content-type'], 'application/json');
    assert.match(headers['user-agent'], /^moonhook\//);
    assert.equal(headers['x-mission-control-event'], 'alert');
    assert.equal(headers['webhook-id'], id);
    assert.ok(Math.abs(headers['webhook-timestamp'] - Date.now() / 1000) < 60);
  });

  for (const [name, Library] of [['standardwebhooks', Webhook], ['svix', SvixWebhook]])
    test(`is signed so that ${name} verifies it, and refuses a changed body`, async () => {
      const { secret } = await engine.webhook(receiver.url);
      await engine.event('alert', { title: 'ünïcödé 日本語 🌙', n: 0.10 });
      const [{ body, headers }] = await receiver.got(1);
      assert.equal(JSON.parse(body).data.title, 'ünïcödé 日本語 🌙');
      new Library(secret).verify(body, headers);
      assert.throws(() => new Library(secret).verify(body.replace('"n"', '"m"'), headers));
    });

  test('is signed with the secret as shown over its exact bytes', async () => {
    const { secret } = await engine.webhook(receiver.url);
    await engine.event('alert', { title: '日本語' });
    const [{ body, headers }] = await receiver.got(1);
    assert.equal(headers['x-mission-control-signature'],
                 createHmac('sha256', secret).update(body).digest('hex'));
  });

  test('has the headers that the endpoint adds', async () => {
    await engine.webhook(receiver.url, { headers: { 'X-Team': 'ops', Authorization: 'Bearer t' } });
    await engine.event('alert');
    const [{ headers }] = await receiver.got(1);
    assert.deepEqual([headers['x-team'], headers.authorization], ['ops', 'Bearer t']);
  });

  test('is chosen by patterns', async () => {
    const patterns = { exact: ['alert'], prefix: ['sla_*'], all: ['*'], both: ['error', 'al*'] };
    for (const [name, events] of Object.entries(patterns))
      await engine.webhook(`${receiver.url}/${name}`, { events });
    for (const type of ['alert', 'sla_breach', 'alerts', 'error', 'sla'])
      await engine.event(type);
    await engine.idle();
    const seen = receiver.requests.map((r) => `${r.url.slice(1)} ${r.json.event}`).sort();
    assert.deepEqual(seen, ['all alert', 'all alerts', 'all error', 'all sla', 'all sla_breach',
      'both alert', 'both alerts', 'both error', 'exact alert', 'prefix sla_breach']);
  });

  test('is nothing where the endpoint is inactive, until it is active again', async () => {
    const { id } = await engine.webhook(receiver.url, { active: false });
    assert.equal((await engine.event('alert', { n: 1 })).deliveries, 0);
    await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { active: true }));
    assert.equal((await engine.event('alert', { n: 2 })).deliveries, 1);
    const [{ json }] = await receiver.got(1);
    assert.equal(json.data.n, 2);
  });

  test('is nothing after the endpoint was removed', async () => {
    const { id } = await engine.webhook(receiver.url);
    await engine.event('alert');
    await receiver.got(1);
    await engine.ok(200, engine.delete(`/api/webhooks/${id}`));
    assert.equal((await engine.event('alert')).deliveries, 0);
    await engine.idle();
    assert.equal(receiver.requests.length, 1);
  });
});
