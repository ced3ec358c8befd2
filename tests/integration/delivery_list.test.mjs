// delivery_list.test.mjs - GET /api/deliveries: an org's deliveries over all of its targets.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertProblem, Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';

const ORG = 'listed', EVENTS = 30, HOOKS = 3;
const engine = new Engine({ flags: ['--retry-schedule', '0s'] });
const receiver = new Receiver();
const hooks = [], sent = [];
let middle;

const ask = (query) => engine.get(`/api/deliveries?org_id=${ORG}&${query}`);
async function walk(query) {
  const seen = [], sizes = [];
  let cursor = '';
  do {
    const page = await engine.ok(200, ask(query + (cursor && `&cursor=${encodeURIComponent(cursor)}`)));
    seen.push(...page.items);
    sizes.push(page.items.length);
    cursor = page.next;
  } while (cursor !== null && sizes.length < 500);
  return { seen, sizes };
}
const keys = (items) => items.map((d) => d.id).sort();
const wanted = (events, ids = hooks) => events.flatMap((e) => ids.map((id) => `${e}~${id}`)).sort();

// Every third event is an error; hook 0 refuses those. One event is of another org.
before(async () => {
  await Promise.all([engine.start(), receiver.start()]);
  receiver.answer = (r) => r.url === '/0' && r.json?.event === 'error' ? { status: 400 } : {};
  for (let i = 0; i < HOOKS; i++)
    hooks.push((await engine.webhook(`${receiver.url}/${i}`, { org_id: ORG })).id);
  for (let n = 0; n < EVENTS; n++) {
    if (n === EVENTS / 2) middle = new Date().toISOString();
    sent.push((await engine.event(n % 3 === 0 ? 'error' : 'alert', { n }, { org_id: ORG })).id);
  }
  await engine.webhook(`${receiver.url}/other`, { org_id: 'another' });
  await engine.event('alert', {}, { org_id: 'another' });
  await engine.idle();
});
after(async () => {
  await engine.stop();
  await receiver.stop();
});
const errors = () => sent.filter((_, n) => n % 3 === 0);

describe('the deliveries of an org', () => {
  for (const limit of [1, 2, 7, 50, 200])
    test(`come in pages of ${limit} that neither skip nor repeat one`, async () => {
      const { seen, sizes } = await walk(`limit=${limit}`);
      assert.deepEqual(keys(seen), wanted(sent));
      assert.ok(sizes.slice(0, -1).every((n) => n === limit), sizes.join());
    });

  test('come newest event first, with their story', async () => {
    const { seen } = await walk('limit=10');
    assert.deepEqual([...new Set(seen.map((d) => d.event_id ?? d.id.split('~')[0]))], [...sent].reverse());
    assert.ok(seen.every((d) => d.attempts.length === 1 && ['alert', 'error'].includes(d.event)));
  });

  test('can be asked for by status', async () => {
    const { seen } = await walk('status=dead&limit=4');
    assert.deepEqual(keys(seen), wanted(errors(), [hooks[0]]));
    assert.deepEqual((await walk('status=cancelled')).seen, []);
  });

  test('can be asked for by type of event', async () => {
    assert.deepEqual(keys((await walk('event=error&limit=5')).seen), wanted(errors()));
  });

  test('can be asked for by time', async () => {
    assert.deepEqual(keys((await walk(`since=${middle}&limit=9`)).seen), wanted(sent.slice(EVENTS / 2)));
    assert.deepEqual(keys((await walk(`until=${middle}&limit=9`)).seen), wanted(sent.slice(0, EVENTS / 2)));
  });

  test('can be asked for by all of these', async () => {
    const { seen } = await walk(`since=${middle}&status=delivered&event=error&limit=3`);
    assert.deepEqual(keys(seen), wanted(errors().filter((e) => sent.indexOf(e) >= EVENTS / 2), hooks.slice(1)));
  });

  test('that are not asked for well are refused by name', async () => {
    for (const query of ['status=lost', 'since=yesterday'])
      assertProblem(await ask(query), 422);
    for (const cursor of ['x', '12.', '~wh_1', '1.evt_1~', '1.evt_1~a/b'])
      assertProblem(await ask(`cursor=${encodeURIComponent(cursor)}`), 400);
  });
});

test('A page of the events of a rare type is full, however many others lie between', async () => {
  const body = (type, count) => Array.from({ length: count }, () =>
    JSON.stringify({ event: type, org_id: 'rare', data: {} })).join('\n');
  const batch = (type, count) => engine.ok(200, engine.send('POST', '/api/events/batch',
    { body: body(type, count), type: 'application/x-ndjson' }));
  for (let i = 0; i < 4; i++) {
    await batch('rare', 1);
    await batch('alert', 300);
  }
  const page = await engine.ok(200, engine.get('/api/events?org_id=rare&event=rare&limit=3'));
  assert.equal(page.items.length, 3);
  const rest = await engine.ok(200, engine.get(`/api/events?org_id=rare&event=rare&limit=3&cursor=${page.next}`));
  assert.deepEqual([rest.items.length, rest.next], [1, null]);
});
