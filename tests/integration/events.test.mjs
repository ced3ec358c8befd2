// events.test.mjs - events over REST: what is accepted, what is refused and how, and
// that what arrives is what was sent.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { assertProblem, Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { within } from './lib/wait.mjs';

const samples = readFileSync(new URL('data/samples.ndjson', import.meta.url), 'utf8')
  .trim().split('\n');

const engine = new Engine({ flags: ['--max-body', '64k'] });
const receiver = new Receiver();
const clients = {};

before(async () => {
  await Promise.all([engine.start(), receiver.start()]);
  for (const org of ['acme', 'globex']) {
    const { key } = await engine.ok(201, engine.post('/api/keys', {
      org_id: org, scopes: ['events:write', 'events:read'], name: org }));
    clients[org] = engine.client(key);
    await engine.webhook(receiver.url + '/' + org, { org_id: org });
  }
  await engine.webhook(receiver.url + '/default');
});
after(() => Promise.all([engine.stop(), receiver.stop()]));
beforeEach(async () => {
  await engine.idle();
  receiver.reset();
});

const raw = (body, more = {}) => engine.send('POST', '/api/events', { body, ...more });

describe('an event that is accepted', () => {
  test('is answered 202 with its id and the number of its deliveries', async () => {
    const got = await engine.post('/api/events', { event: 'alert', data: { title: 'Disk' } });
    assert.equal(got.status, 202);
    assert.equal(got.headers.get('content-type'), 'application/json');
    assert.deepEqual(Object.keys(got.json), ['id', 'deliveries']);
    assert.match(got.json.id, /^evt_[0-9a-z]+$/);
    assert.equal(got.json.deliveries, 1);
  });

  test('arrives with the fields that are promised and no other', async () => {
    const { id } = await engine.event('alert', { title: 'Disk' });
    const [{ json }] = await receiver.got(1);
    assert.deepEqual(Object.keys(json), ['id', 'event', 'timestamp', 'org_id', 'data']);
    assert.match(json.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual({ ...json, timestamp: '' },
      { id, event: 'alert', timestamp: '', org_id: 'default', data: { title: 'Disk' } });
  });

  test('goes to the webhooks of its own org only', async () => {
    await clients.acme.event('alert', { n: 1 });
    await clients.globex.event('alert', { n: 2 });
    await engine.event('alert', { n: 3 }, { org_id: 'acme' });
    const all = await receiver.got(3);
    assert.deepEqual(all.map(({ url, json }) => `${url} ${json.org_id} ${json.data.n}`).sort(),
      ['/acme acme 1', '/acme acme 3', '/globex globex 2']);
  });

  test('can be read back with its deliveries', async () => {
    const { id } = await clients.acme.event('alert', { title: 'Disk' });
    await receiver.got(1);
    const story = await clients.acme.ok(200, clients.acme.get(`/api/events/${id}`));
    assert.equal(story.event, 'alert');
    assert.deepEqual(story.data, { title: 'Disk' });
    assert.equal(story.deliveries.length, 1);
    assert.equal(story.deliveries[0].target.kind, 'webhook');
  });

  test('is accepted without anybody who wants it', async () => {
    const got = await engine.event('alert', {}, { org_id: 'nobody' });
    assert.equal(got.deliveries, 0);
  });

  test('keeps every digit of its numbers and every other byte of its data', async () => {
    const data = '{"score":0.97,"big":9007199254740993,"long":0.12345678901234567890,'
      + '"e":1E5 ,"zero":-0.0,"text":"\\u00fc\\/\\ud83c\\udf19 日本語","deep":[[],{}, [{"data":1}]]}';
    await raw(`{"event":"alert", "data": ${data} }`);
    const [{ body }] = await receiver.got(1);
    assert.ok(body.endsWith(`"data":${data}}`), body);
  });

  test('keeps its numbers where its story is read', async () => {
    const { json } = await raw('{"event":"alert","data":{"score":0.97,"big":9007199254740993}}');
    const { text } = await engine.get(`/api/events/${json.id}`);
    assert.match(text, /"score":0\.97[,}]/);
    assert.match(text, /"big":9007199254740993[,}]/);
  });

  for (const line of samples)
    test(`is any that Mission Control emits: ${JSON.parse(line).data.id}`, async () => {
      const { event, data } = JSON.parse(line);
      const got = await clients.acme.send('POST', '/api/events', { body: line });
      assert.equal(got.status, 202, got.text);
      const [{ json, headers }] = await receiver.got(1);
      assert.equal(json.event, event);
      assert.equal(headers['x-mission-control-event'], event);
      assert.deepEqual(json.data, data);
    });
});

describe('an event that is refused', () => {
  const cases = [
    ['no body', undefined, 400],
    ['an empty body', '', 400],
    ['text that is no JSON', '{"event":', 400],
    ['two JSON texts', '{"event":"alert","data":{}} {}', 400],
    ['a name given twice', '{"event":"alert","event":"error","data":{}}', 400],
    ['bytes that are no UTF-8', Buffer.from('{"event":"alert","data":{"a":"\xff"}}', 'latin1'), 400],
    ['a number that no receiver could read', '{"event":"alert","data":{"n":1e400}}', 400],
    ['nesting without end', `{"event":"alert","data":{"a":${'['.repeat(5000)}${']'.repeat(5000)}}}`, 400],
    ['an array', '[]', 422],
    ['null', 'null', 422],
    ['a missing type', '{"data":{}}', 422, '/event'],
    ['missing data', '{"event":"alert"}', 422, '/data'],
    ['a type that is a number', '{"event":1,"data":{}}', 422, '/event'],
    ['data that is text', '{"event":"alert","data":"x"}', 422, '/data'],
    ['data that is null', '{"event":"alert","data":null}', 422, '/data'],
    ['a type with capital letters', '{"event":"Alert","data":{}}', 422, '/event'],
    ['a type of 64 characters', `{"event":"${'a'.repeat(64)}","data":{}}`, 422, '/event'],
    ['an empty type', '{"event":"","data":{}}', 422, '/event'],
    ['a type with a line break', '{"event":"alert\\n","data":{}}', 422, '/event'],
    ['an id with a dot', '{"event":"alert","data":{},"id":"a.b"}', 422, '/id'],
    ['an id with a slash', '{"event":"alert","data":{},"id":"a/b"}', 422, '/id'],
    ['an id that is a number', '{"event":"alert","data":{},"id":7}', 422, '/id'],
    ['an id of 65 characters', `{"event":"alert","data":{},"id":"${'a'.repeat(65)}"}`, 422, '/id'],
    ['an org with a slash', '{"event":"alert","data":{},"org_id":"a/b"}', 422, '/org_id'],
    ['an unknown field', '{"event":"alert","data":{},"sevrity":"x"}', 422, '/sevrity'],
    ['an unknown field with a slash', '{"event":"alert","data":{},"a/b~c":1}', 422, '/a~1b~0c'],
  ];
  for (const [name, body, status, pointer] of cases)
    test(`for ${name} is a problem of status ${status}${pointer ? ` at ${pointer}` : ''}`, async () => {
      assertProblem(await raw(body), status, pointer);
    });

  test('leaves nothing behind: no event, no delivery', async () => {
    const accepted = await engine.metric('moonhook_events_accepted_total');
    for (const [, body] of cases) await raw(body);
    assert.equal(await engine.metric('moonhook_events_accepted_total'), accepted);
    await engine.event('alert', { after: true });
    const [first] = await receiver.got(1);
    assert.deepEqual(first.json.data, { after: true });
  });

  test('by its size is a problem of status 413, whether its length was told or not', async () => {
    const body = JSON.stringify({ event: 'alert', data: { text: 'x'.repeat(70_000) } });
    assertProblem(await raw(body), 413);
    const stream = new ReadableStream({
      start(c) { c.enqueue(Buffer.from(body)); c.close(); } });
    const res = await fetch(`${engine.url}/api/events`, { method: 'POST', body: stream, duplex: 'half',
      headers: { authorization: `Bearer ${engine.key}`, 'content-type': 'application/json' } });
    assert.equal(res.status, 413);
    assert.equal(res.headers.get('content-type'), 'application/problem+json');
    await res.text();
    assert.equal((await engine.get('/healthz')).status, 200);
  });
});

describe('who may send and read', () => {
  const event = { event: 'alert', data: {} };

  for (const [name, authorization] of [['no key', undefined], ['a wrong key', 'Bearer mh_wrong'],
    ['a key of another scheme', 'Basic bWg6bWg='], ['an endless key', `Bearer ${'m'.repeat(4000)}`]])
    test(`${name} is a 401 that says what is wanted`, async () => {
      const res = await fetch(`${engine.url}/api/events`, { method: 'POST',
        body: JSON.stringify(event), headers: authorization ? { authorization } : {} });
      const got = { status: res.status, headers: res.headers, text: await res.text() };
      assertProblem({ ...got, json: JSON.parse(got.text) }, 401);
      assert.match(res.headers.get('www-authenticate'), /^Bearer\b/);
    });

  test('a key without the scope gets 403 that names it', async () => {
    const { key } = await engine.ok(201, engine.post('/api/keys',
      { org_id: 'acme', scopes: ['events:read'] }));
    const got = await engine.client(key).post('/api/events', event);
    assertProblem(got, 403);
    assert.match(got.json.detail, /events:write/);
  });

  test('a key sends for no other org than its own', async () => {
    assertProblem(await clients.acme.post('/api/events', { ...event, org_id: 'globex' }), 403, '/org_id');
    assertProblem(await clients.acme.post('/api/events?org_id=globex', event), 403);
  });

  test('a key does not see the events of another org', async () => {
    const { id } = await clients.acme.event('alert');
    assertProblem(await clients.globex.get(`/api/events/${id}`), 404);
    assertProblem(await clients.globex.get(`/api/events/${id}?org_id=acme`), 403);
    assert.equal((await engine.get(`/api/events/${id}?org_id=acme`)).status, 200);
  });

  test('a revoked key is known no more', async () => {
    const { id, key } = await engine.ok(201, engine.post('/api/keys', { scopes: ['events:write'] }));
    const client = engine.client(key);
    await client.event('alert');
    await engine.ok(200, engine.delete(`/api/keys/${id}`));
    assertProblem(await client.post('/api/events', event), 401);
  });

  test('nobody makes a key that may do more than their own', async () => {
    const { key } = await engine.ok(201, engine.post('/api/keys',
      { org_id: 'acme', scopes: ['keys:write'] }));
    const client = engine.client(key);
    assertProblem(await client.post('/api/keys', { scopes: ['admin'] }), 422, '/scopes/0');
    assertProblem(await client.post('/api/keys', { scopes: ['keys:write'], org_id: 'globex' }), 403);
    await client.ok(201, client.post('/api/keys', { scopes: ['keys:write'] }));
  });

  test('keys are listed without what they are', async () => {
    const { text, json } = await engine.get('/api/keys');
    assert.ok(json.items.length >= 3);
    assert.doesNotMatch(text, /mh_/);
  });
});

describe('paths and methods', () => {
  for (const path of ['/api/events/evt_nothing', '/api/events/a..b', `/api/events/${'e'.repeat(200)}`,
    '/api/nothing', '/api/events/', '/api//events', '/api/events/x/y', '/%2e%2e/etc/passwd'])
    test(`GET ${path.slice(0, 40)} is a 404`, async () => {
      assertProblem(await engine.get(path), 404);
    });

  for (const [method, path, allow] of [['DELETE', '/api/events', 'POST, GET'],
    ['POST', '/api/events/x', 'GET'], ['PUT', '/api/webhooks', 'POST, GET'],
    ['POST', '/healthz', 'GET']])
    test(`${method} ${path} is a 405 that allows ${allow}`, async () => {
      const got = await engine.send(method, path);
      assertProblem(got, 405);
      assert.equal(got.headers.get('allow'), allow);
    });
});

describe("a producer's own id", () => {
  test('is kept, and accepted once', async () => {
    const first = await engine.event('alert', { n: 1 }, { id: 'own-1' });
    assert.deepEqual(first, { id: 'own-1', deliveries: 1 });
    const again = await engine.event('alert', { n: 2 }, { id: 'own-1' });
    assert.deepEqual(again, { id: 'own-1', deliveries: 1, duplicate: true });
    await engine.event('alert', { n: 3 });
    const all = await receiver.got(2);
    assert.deepEqual(all.map((r) => r.json.data.n).sort(), [1, 3]);
  });

  test('is accepted once of fifty sent at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, (_, n) =>
      engine.event('alert', { n }, { id: 'own-50' })));
    assert.equal(all.filter((a) => !a.duplicate).length, 1);
    await engine.event('alert', { n: 'last' });
    await receiver.got(1, (r) => r.json.data.n === 'last');
    assert.equal(receiver.requests.filter((r) => r.json.id === 'own-50').length, 1);
  });

  test('belongs to its org: another org may use the same', async () => {
    assert.equal((await clients.acme.event('alert', { n: 1 }, { id: 'shared' })).duplicate, undefined);
    assert.equal((await clients.globex.event('alert', { n: 2 }, { id: 'shared' })).duplicate, undefined);
    const all = await receiver.got(2);
    assert.deepEqual(all.map((r) => r.url).sort(), ['/acme', '/globex']);
  });
});

describe('a batch', () => {
  const batch = (body, type) => engine.send('POST', '/api/events/batch', { body, type });
  const ndjson = (lines) => batch(lines.join('\n'), 'application/x-ndjson');
  const one = (n) => JSON.stringify({ event: 'alert', data: { n } });

  test('as an array has an outcome per item, in its order', async () => {
    const got = await batch(`[${one(1)}, {"event":"alert"}, 7, ${one(2)}]`);
    assert.equal(got.status, 200);
    assert.equal(got.json.items.length, 4);
    const [first, second, third, fourth] = got.json.items;
    assert.equal(first.deliveries, 1);
    assert.deepEqual([second.error.status, second.error.pointer], [422, '/data']);
    assert.equal(third.error.status, 422);
    assert.match(fourth.id, /^evt_/);
    const arrived = await receiver.got(2);
    assert.deepEqual(arrived.map((r) => r.json.data.n).sort(), [1, 2]);
  });

  test('as NDJSON takes blank lines, CRLF and a line that is no JSON', async () => {
    const got = await ndjson([one(1), '', `${one(2)}\r`, '{oops', one(3), '']);
    assert.deepEqual(got.json.items.map((i) => i.error?.status ?? 'ok'), ['ok', 'ok', 400, 'ok']);
    const arrived = await receiver.got(3);
    assert.deepEqual(arrived.map((r) => r.json.data.n).sort(), [1, 2, 3]);
  });

  test('says which of its items came before', async () => {
    const item = '{"event":"alert","data":{},"id":"own-batch"}';
    const got = await ndjson([item, item]);
    assert.deepEqual(got.json.items, [{ id: 'own-batch', deliveries: 1 },
                                      { id: 'own-batch', duplicate: true }]);
  });

  test("refuses an item of another org alone", async () => {
    const got = await clients.acme.send('POST', '/api/events/batch', { body: JSON.stringify([
      { event: 'alert', data: {}, org_id: 'globex' }, { event: 'alert', data: {} }]) });
    assert.deepEqual(got.json.items.map((i) => i.error?.status ?? 'ok'), [403, 'ok']);
  });

  test('keeps the digits of numbers', async () => {
    await batch('[{"event":"alert","data":{"n":9007199254740993,"m":0.10}}]');
    const [{ body }] = await receiver.got(1);
    assert.match(body, /"data":\{"n":9007199254740993,"m":0\.10\}\}$/);
  });

  test('of a thousand is accepted, of one more refused as a whole', async () => {
    const lines = Array.from({ length: 1000 }, () => '{"event":"alert","data":{},"org_id":"none"}');
    const got = await ndjson(lines);
    assert.equal(got.json.items.filter((i) => i.id).length, 1000);
    const accepted = await engine.metric('moonhook_events_accepted_total');
    assertProblem(await ndjson([...lines, one(1)]), 422);
    assert.equal(await engine.metric('moonhook_events_accepted_total'), accepted);
  });

  for (const [name, body, status] of [['of nothing', '[]', 422], ['that is an object', '{}', 422],
    ['that is cut off', `[${one(1)},`, 400], ['that is empty', '', 400]])
    test(`${name} is refused as a whole`, async () => {
      assertProblem(await batch(body), status);
    });
});

describe('a CloudEvent', () => {
  const event = { specversion: '1.0', type: 'alert', source: '/mission-control', id: 'ce 1/é',
                  time: '2026-01-22T10:00:00Z', data: { title: 'Disk' } };
  const send = (value) => engine.send('POST', '/api/events',
    { body: JSON.stringify(value), type: 'application/cloudevents+json; charset=utf-8' });

  test('is accepted, once per source and id', async () => {
    const first = await send(event);
    assert.equal(first.status, 202, first.text);
    assert.equal((await send(event)).json.duplicate, true);
    const other = await send({ ...event, source: '/elsewhere' });
    assert.equal(other.json.duplicate, undefined);
    const arrived = await receiver.got(2);
    assert.deepEqual(arrived[0].json.data, { title: 'Disk' });
    assert.equal(arrived[0].json.event, 'alert');
    assert.deepEqual(arrived.map((r) => r.json.id).sort(), [first.json.id, other.json.id].sort());
  });

  for (const [name, change, pointer] of [['of another version', { specversion: '0.3' }, '/specversion'],
    ['without a source', { source: undefined }, '/source'],
    ['of a type that is none here', { type: 'com.Example' }, '/type']])
    test(`${name} is refused at ${pointer}`, async () => {
      assertProblem(await send({ ...event, ...change }), 422, pointer);
    });
});

describe('what operators and tools read', () => {
  test('/healthz and /readyz are green and need no key', async () => {
    for (const [path, status] of [['/healthz', 'ok'], ['/readyz', 'ready']]) {
      const res = await within(fetch(engine.url + path), path);
      assert.deepEqual([res.status, await res.json()], [200, { status }]);
    }
  });

  test('/metrics is Prometheus text, each name with help and type', async () => {
    const { text, headers } = await engine.get('/metrics');
    assert.match(headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    const known = new Set([...text.matchAll(/^# TYPE (\S+) (counter|gauge|histogram)$/gm)].map((m) => m[1]));
    for (const line of text.split('\n').filter((l) => l && !l.startsWith('#'))) {
      const [, name] = line.match(/^([a-z_]+)(?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+$/) ?? [];
      assert.ok(known.has(name), line);
      assert.match(text, new RegExp(`^# HELP ${name} `, 'm'));
    }
    assert.equal(await engine.metric('moonhook_redis_up'), 1);
  });

  describe('/openapi.json', () => {
    let api;
    before(async () => { api = (await engine.get('/openapi.json')).json; });
    const operations = () => Object.entries(api.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, operation })));

    test('lists every route of the table', () => {
      const source = readFileSync(new URL('../../engine/api/routes.c', import.meta.url), 'utf8');
      const routes = [...source.matchAll(/^ {4}\{ "([A-Z]+)", "([^"]+)"/gm)];
      assert.ok(routes.length > 20);
      assert.deepEqual(operations().map((o) => `${o.method.toUpperCase()} ${o.path}`).sort(),
                       routes.map(([, method, path]) => `${method} ${path}`).sort());
    });

    test('has the shape of OpenAPI 3.1', () => {
      assert.match(api.openapi, /^3\.1\./);
      assert.ok(api.info.title && api.info.version);
      const ids = operations().map((o) => o.operation.operationId);
      assert.equal(new Set(ids).size, ids.length);
      for (const { path, method, operation } of operations()) {
        const where = `${method} ${path}`;
        assert.match(method, /^(get|put|post|delete|patch)$/);
        const inPath = operation.parameters.filter((p) => p.in === 'path');
        assert.deepEqual(inPath.map((p) => `{${p.name}}`), path.match(/\{[^}]+\}/g) ?? [], where);
        assert.ok(inPath.every((p) => p.required === true), where);
        assert.ok(operation.parameters.every((p) => p.name && p.schema), where);
        assert.ok(Object.keys(operation.responses).some((s) => /^2\d\d$/.test(s)), where);
        assert.ok(Object.values(operation.responses).every((r) => r.description), where);
        if (operation.requestBody) assert.ok(operation.requestBody.content['application/json'], where);
      }
      for (const [, name] of JSON.stringify(api).matchAll(/"#\/components\/schemas\/([^"]+)"/g))
        assert.ok(api.components.schemas[name], name);
    });

    test('tells truly which operations need a key', async () => {
      for (const { path, method, operation } of operations()) {
        const url = engine.url + path.replace('{id}', 'x');
        const res = await fetch(url, { method: method.toUpperCase() });
        await res.text();
        assert.equal(res.status === 401, operation.security !== undefined, `${method} ${path}`);
      }
    });
  });
});
