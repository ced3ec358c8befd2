// retention.test.mjs - what is old or too much is forgotten, and nothing that is due (I10, Q6).
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { assertProblem, Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { eventually } from './lib/wait.mjs';

const DAY_MS = 86_400_000;
const redis = new Redis(), receiver = new Receiver();
let engine;

before(async () => {
  await Promise.all([redis.start(), receiver.start()]);
  engine = await new Engine({ flags: ['--redis', redis.url, '--retention', '1d', '--retention-events', '10',
    '--retention-dead', '10', '--retry-schedule', '0s'] }).start();
});
after(async () => {
  await engine.stop();
  await Promise.all([redis.kill(), receiver.stop()]);
});
afterEach(async () => {
  await engine.forgetWebhooks();
  receiver.reset();
});

async function send(org, count) {
  const body = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ event: 'alert', id: `${org}-${n}`, org_id: org, data: { n } })).join('\n');
  const { items } = await engine.ok(200,
    engine.send('POST', '/api/events/batch', { body, type: 'application/x-ndjson' }));
  return items.map((item) => item.id);
}

const listed = async (org) => (await engine.ok(200, engine.get(`/api/events?org_id=${org}&limit=200`))).items;
const trimmed = (org, count) => eventually(async () => (await listed(org)).length === count && listed(org),
                                           `${count} events of ${org}`);
const keys = async (pattern) => (await redis.cli('--scan', '--pattern', pattern)).split('\n').filter(Boolean);

// As if it had been accepted so long ago.
const age = (org, id, ms) => redis.cli('ZADD', `mh:{q}:events:${org}`, 'XX', Date.now() - ms, id);
// As if one had been accepted after the other.
const inOrder = (org, ids) => redis.cli('ZADD', `mh:{q}:events:${org}`, 'XX',
  ...ids.flatMap((id, n) => [Date.now() - 60_000 + n, id]));

test('events beyond their number go, the oldest first, with their deliveries', async () => {
  let open;                                         // what is under way is not removed
  const gate = new Promise((resolve) => { open = () => resolve({}); });
  receiver.answer = () => gate;
  await engine.webhook(receiver.url, { org_id: 'many' });
  const sent = await send('many', 30);
  await inOrder('many', sent);
  open();
  await receiver.got(30);
  await engine.idle();
  const left = await trimmed('many', 10);
  assert.deepEqual(left.map((e) => e.id), sent.slice(20).reverse());
  assert.equal((await keys('mh:{q}:delivery:many/*')).length, 10);
  assertProblem(await engine.get(`/api/events/${sent[0]}?org_id=many`), 404);
});

test('the id of an event that went is still known to be a repeat (Q3)', async () => {
  await send('again', 30);
  await trimmed('again', 10);
  const repeated = await engine.ok(202, engine.post('/api/events', { event: 'alert', id: 'again-0', org_id: 'again', data: {} }));
  assert.equal(repeated.duplicate, true);
  await send('again', 30);
  assert.equal((await listed('again')).length, 10);
});

test('an id that moonhook gave, and nobody can repeat, leaves nothing behind', async () => {
  const body = JSON.stringify(Array.from({ length: 30 }, (_, n) => ({ event: 'alert', org_id: 'made', data: { n } })));
  await engine.ok(200, engine.send('POST', '/api/events/batch', { body }));
  await trimmed('made', 10);
  assert.equal((await keys('mh:{q}:event:made/*')).length, 10);
});

test('an event of very many targets goes with the deliveries to all of them', async () => {
  const TARGETS = 150;                              // their names are more than trim.lua reads at first
  for (let n = 0; n < TARGETS; n++) await engine.webhook(receiver.url, { org_id: 'wide' });
  await send('wide', 12);
  await receiver.got(12 * TARGETS);
  await engine.idle();
  await trimmed('wide', 10);
  assert.equal((await keys('mh:{q}:delivery:wide/*')).length, 10 * TARGETS);
});

test('an event whose delivery is under way or due stays, however many there are (I10)', async () => {
  let open;
  const gate = new Promise((resolve) => { open = () => resolve({}); });
  receiver.answer = () => gate;
  await engine.webhook(receiver.url, { org_id: 'slow', concurrency: 2 });
  const slow = await send('slow', 40);
  await age('slow', slow[0], 30 * DAY_MS);
  await receiver.got(2);
  // Another org is trimmed meanwhile: so that what stays is seen to stay.
  await send('marker', 30);
  await trimmed('marker', 10);
  assert.equal((await listed('slow')).length, 40);
  open();
  await receiver.until(() => new Set(receiver.requests.map((r) => r.json.id)).size === 40, 'every one of them');
  await engine.idle();
  await trimmed('slow', 10);
});

test('an event past its age goes when its delivery has ended, and not before (I10)', async () => {
  receiver.answer = () => ({ status: 503 });
  await engine.webhook(receiver.url, { org_id: 'old', retry_schedule: '0s,1h', events: ['alert'] });
  const [waiting] = await send('old', 1);
  await eventually(async () => (await engine.get(`/api/events/${waiting}?org_id=old`)).json.deliveries[0].status === 'retrying', 'a retry');
  const { id: ended } = await engine.event('error', {}, { org_id: 'old' });
  await age('old', waiting, 2 * DAY_MS);
  await age('old', ended, 2 * DAY_MS);
  const left = await trimmed('old', 1);
  assert.equal(left[0].id, waiting);
  assert.equal((await engine.get(`/api/events/${waiting}?org_id=old`)).json.deliveries[0].status, 'retrying');
  assert.deepEqual(await keys(`mh:{q}:event:old/${ended}`), []);
});

test('dead letters beyond their number are counted no more', async () => {
  let fail;                                         // all at once: one by one would open the circuit
  const gate = new Promise((resolve) => { fail = () => resolve({ status: 500 }); });
  receiver.answer = () => gate;
  await engine.webhook(receiver.url, { org_id: 'dying' });
  await send('dying', 15);
  await receiver.got(15);
  fail();
  await eventually(async () => await engine.metric('moonhook_deliveries_dead') === 10, 'ten dead letters');
});

test('sizes and the memory of Redis are in /metrics', async () => {
  await send('sizes', 5);
  const orgs = ['many', 'again', 'made', 'wide', 'slow', 'marker', 'old', 'dying', 'sizes'];
  await eventually(async () => {
    const lists = await Promise.all(orgs.map(listed));
    return await engine.metric('moonhook_events_stored') === lists.flat().length;
  }, 'the number of events');
  const used = await engine.metric('moonhook_redis_memory_bytes');
  assert.ok(used > 500_000 && used < 1e9, `${used}`);
  assert.equal(await engine.metric('moonhook_redis_memory_max_bytes'), 0);
  await redis.cli('CONFIG', 'SET', 'maxmemory', '200mb');
  await eventually(async () => await engine.metric('moonhook_redis_memory_max_bytes') === 200 * 1024 * 1024, 'the limit');
});

test('the memory of Redis is left out of /metrics until it is known, and never zero', async () => {
  const young = await new Engine({ flags: ['--redis', redis.url, '--prefix', 'young'] }).start();
  const seen = [];
  await eventually(async () => {
    seen.push(await young.metric('moonhook_redis_memory_bytes'));
    return seen.at(-1) > 0;
  }, 'the memory of Redis');
  assert.ok(!seen.includes(0), `${seen}`);
  await young.stop();
});
