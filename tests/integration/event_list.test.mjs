// event_list.test.mjs - GET /api/events: the index of an org's events (I8).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertProblem, Engine } from './lib/engine.mjs';

const engine = new Engine();
before(() => engine.start());
after(() => engine.stop());

async function send(org, count, type = 'alert') {
  const body = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ event: type, org_id: org, data: { n } })).join('\n');
  const { items } = await engine.ok(200,
    engine.send('POST', '/api/events/batch', { body, type: 'application/x-ndjson' }));
  return items.map((item) => item.id);
}

async function walk(query, meanwhile = async () => {}) {
  const seen = [];
  let cursor = '';
  do {
    const page = await engine.ok(200, engine.get(
      `/api/events?${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`));
    seen.push(...page.items);
    cursor = page.next;
    await meanwhile();
  } while (cursor !== null && seen.length < 1000);
  return seen;
}

const ids = (items) => items.map((item) => item.id);

test('events come newest first in pages that neither skip nor repeat (I8)', async () => {
  const sent = [];
  for (let n = 0; n < 5; n++) sent.push(...await send('pages', 20));
  for (const limit of [7, 20, 100, 200]) {
    const seen = ids(await walk(`org_id=pages&limit=${limit}`));
    assert.equal(seen.length, 100, `limit ${limit}`);
    assert.deepEqual(new Set(seen), new Set(sent));
  }
});

test('they do so while new ones arrive (I8)', async () => {
  const sent = await send('busy', 50);
  const seen = await walk('org_id=busy&limit=8', () => send('busy', 3));
  assert.deepEqual(new Set(ids(seen)), new Set(sent));
  assert.equal(seen.length, 50);
});

test('an entry says what it was and how many deliveries it has', async () => {
  await engine.webhook('http://127.0.0.1:1/', { org_id: 'one', active: true, events: ['alert'] });
  const [id] = await send('one', 1);
  const [item] = await walk('org_id=one');
  assert.ok(Math.abs(Date.parse(item.timestamp) - Date.now()) < 60_000);
  assert.deepEqual({ ...item, timestamp: '' },
                   { id, event: 'alert', timestamp: '', org_id: 'one', deliveries: 1 });
});

test('events can be asked for by type', async () => {
  await send('types', 3);
  const errors = await send('types', 2, 'error');
  assert.deepEqual(ids(await walk('org_id=types&event=error&limit=2')).sort(), errors.sort());
});

test('events can be asked for by time; since is taken in, until left out', async () => {
  await send('times', 2);
  const [first] = await walk('org_id=times');
  const at = (ms) => new Date(Date.now() + ms).toISOString();
  assert.ok(first);
  assert.equal((await walk(`org_id=times&since=${at(-60_000)}&until=${at(60_000)}`)).length, 2);
  assert.equal((await walk(`org_id=times&since=${at(60_000)}`)).length, 0);
  assert.equal((await walk(`org_id=times&until=${at(-60_000)}`)).length, 0);
});

test('an event that was sent twice under one id is listed once', async () => {
  for (let n = 0; n < 2; n++) await engine.event('alert', {}, { id: 'own-1', org_id: 'twice' });
  assert.deepEqual(ids(await walk('org_id=twice')), ['own-1']);
});

test('an org does not see the events of another', async () => {
  await send('mine', 2);
  const { key } = await engine.ok(201, engine.post('/api/keys', { org_id: 'theirs', scopes: ['events:read'] }));
  assert.deepEqual((await engine.client(key).get('/api/events')).json, { items: [], next: null });
  assertProblem(await engine.client(key).get('/api/events?org_id=mine'), 403);
});

test('a cursor or a time that is none is refused', async () => {
  for (const cursor of ['x', '12', '12.', '-1.evt', '1.a b', `1.${'a'.repeat(65)}`])
    assertProblem(await engine.get(`/api/events?cursor=${encodeURIComponent(cursor)}`), 400);
  assertProblem(await engine.get('/api/events?since=yesterday'), 422);
});
