// replay.test.mjs - sending events again: the failed, the missing or all of a time window,
// as a job that neither skips nor repeats (I9), whatever is killed meanwhile (replay_kills.test.mjs
// does it again and again).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { assertProblem, build, Engine } from './lib/engine.mjs';
import { PluginFolder } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { eventually, within } from './lib/wait.mjs';

const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

const FAST = ['--retry-schedule', '0s,20ms'];
const long_ago = () => new Date(Date.now() - 3_600_000).toISOString();

async function send(client, count, more = {}) {
  const body = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ event: 'alert', data: { n }, ...more })).join('\n');
  const { items } = await client.ok(200,
    client.send('POST', '/api/events/batch', { body, type: 'application/x-ndjson' }));
  return items.map((item) => item.id);
}

const replay = (client, id, spec = {}) =>
  client.ok(202, client.post(`/api/webhooks/${id}/replay`, { since: long_ago(), ...spec }));

const job = (client, { id }) => client.ok(200, client.get(`/api/replays/${id}`));

const finished = (client, { id }, ms) => eventually(async () => {
  const now = await job(client, { id });
  return now.status !== 'running' && now;
}, 'the end of the replay', ms);

// webhook-id -> how often it came.
function counts(requests) {
  const seen = new Map();
  for (const { headers } of requests) seen.set(headers['webhook-id'], (seen.get(headers['webhook-id']) ?? 0) + 1);
  return seen;
}

const eachOnce = (ids) => new Map(ids.map((id) => [id, 1]));
const sorted = (map) => [...map].sort();

describe('a replay', () => {
  const engine = new Engine({ flags: FAST });
  const deliveries = async (id) => (await engine.get(`/api/webhooks/${id}/deliveries?limit=200`)).json.items;
  let org = 0, client;

  before(() => engine.start());
  after(() => engine.stop());
  beforeEach(async () => {
    await engine.forgetWebhooks();
    const { key } = await engine.ok(201, engine.post('/api/keys', { org_id: `org${++org}`,
      scopes: ['events:write', 'events:read', 'webhooks:write', 'webhooks:read'] }));
    client = engine.client(key);
    receiver.reset();
  });

  // Ten events, of which those with an odd number end dead.
  async function someDead(id) {
    receiver.answer = (r) => ({ status: r.json.data.n % 2 ? 500 : 200 });
    const ids = await send(client, 10);
    await eventually(async () => (await deliveries(id)).filter((d) => d.status === 'dead').length === 5
      && (await deliveries(id)).length === 10, 'five dead letters');
    await engine.idle();
    receiver.reset();
    return { odd: ids.filter((_, n) => n % 2), ids };
  }

  test('of the failed makes those again that ended dead, and no other', async () => {
    const { id } = await client.webhook(receiver.url);
    const { odd } = await someDead(id);
    const ended = await finished(client, await replay(client, id));
    assert.deepEqual([ended.status, ended.total, ended.looked, ended.matched, ended.enqueued, ended.skipped],
                     ['done', 10, 10, 10, 5, 5]);
    await receiver.got(5);
    await engine.idle();
    assert.deepEqual(sorted(counts(receiver.requests)), sorted(eachOnce(odd)));
    assert.ok((await deliveries(id)).every((d) => d.status === 'delivered'));
    assert.equal(await eventually(async () => await engine.metric('moonhook_deliveries_dead') === 0, 'none dead'), true);
  });

  test('of all makes every one again, under its id', async () => {
    const { id } = await client.webhook(receiver.url);
    const { ids } = await someDead(id);
    assert.equal((await finished(client, await replay(client, id, { only: 'all' }))).enqueued, 10);
    await receiver.got(10);
    await engine.idle();
    assert.deepEqual(sorted(counts(receiver.requests)), sorted(eachOnce(ids)));
  });

  test('of the missing reaches an endpoint that was created later, and its story says so', async () => {
    const ids = await send(client, 6);
    await send(client, 2, { event: 'error' });
    const { id } = await client.webhook(receiver.url, { events: ['alert'] });
    const ended = await finished(client, await replay(client, id, { only: 'missing' }));
    assert.deepEqual([ended.total, ended.looked, ended.matched, ended.enqueued], [8, 8, 6, 6]);
    await receiver.got(6);
    await engine.idle();
    assert.deepEqual(sorted(counts(receiver.requests)), sorted(eachOnce(ids)));
    const story = await client.ok(200, client.get(`/api/events/${ids[0]}`));
    assert.deepEqual(story.deliveries.map((d) => [d.target.id, d.status]), [[id, 'delivered']]);
    assert.equal((await finished(client, await replay(client, id, { only: 'missing' }))).enqueued, 0);
  });

  test('of the missing sends what came while the endpoint was disabled', async () => {
    const { id } = await client.webhook(receiver.url);
    const first = await send(client, 2);
    await receiver.got(2);
    await client.ok(200, client.patch(`/api/webhooks/${id}`, { active: false }));
    const missed = await send(client, 3);
    await client.ok(200, client.patch(`/api/webhooks/${id}`, { active: true }));
    receiver.reset();
    assert.equal((await finished(client, await replay(client, id, { only: 'missing' }))).enqueued, 3);
    await receiver.got(3);
    await engine.idle();
    assert.deepEqual(sorted(counts(receiver.requests)), sorted(eachOnce(missed)));
    assert.ok(first.every((event) => !missed.includes(event)));
  });

  test('takes the events of its window only: since is taken in, until left out', async () => {
    const { id } = await client.webhook(receiver.url);
    await send(client, 2);
    await receiver.got(2);
    await engine.idle();
    const later = new Date(Date.now() + 60_000).toISOString();
    const none = await client.post(`/api/webhooks/${id}/replay`, { since: later, only: 'all' });
    assert.equal((await finished(client, none.json)).enqueued, 0);
    const before = { since: '2020-01-01T00:00:00Z', until: '2020-01-02T00:00:00Z', only: 'all' };
    assert.equal((await finished(client, (await client.post(`/api/webhooks/${id}/replay`, before)).json)).total, 0);
  });

  for (const only of ['failed', 'missing', 'all'])
    test(`of ${only} is foretold exactly by a dry run, which sends nothing`, async () => {
      const early = await send(client, 4);
      const { id } = await client.webhook(receiver.url);
      await someDead(id);
      const foretold = await replay(client, id, { only, dry_run: true });
      assert.deepEqual([foretold.status, foretold.dry_run], ['done', true]);
      await engine.idle();
      assert.equal(receiver.requests.length, 0);
      const made = await finished(client, await replay(client, id, { only }));
      for (const name of ['total', 'looked', 'matched', 'enqueued', 'skipped'])
        assert.equal(foretold[name], made[name], name);
      assert.equal(made.enqueued, { failed: 5, missing: early.length, all: 14 }[only]);
      await receiver.got(made.enqueued);
      await engine.idle();
      assert.equal(receiver.requests.length, made.enqueued);
    });

  test('sends no endpoint the test of another', async () => {
    const one = await client.webhook(`${receiver.url}/one`);
    await client.ok(202, client.post(`/api/webhooks/${one.id}/test`));
    await receiver.got(1);
    const other = await client.webhook(`${receiver.url}/other`);
    const ended = await finished(client, await replay(client, other.id, { only: 'missing' }));
    assert.deepEqual([ended.looked, ended.matched], [1, 0]);
  });

  test('leaves alone what is under way or due', async () => {
    let open;
    const gate = new Promise((resolve) => { open = () => resolve({}); });
    receiver.answer = () => gate;
    const { id } = await client.webhook(receiver.url);
    const ids = await send(client, 3);
    await receiver.got(3);
    const ended = await finished(client, await replay(client, id, { only: 'all' }));
    assert.deepEqual([ended.enqueued, ended.skipped], [0, 3]);
    open();
    await engine.idle();
    assert.deepEqual(sorted(counts(receiver.requests)), sorted(eachOnce(ids)));
  });

  test('holds while its endpoint is not active, says so, and can be cancelled', async () => {
    const { id } = await client.webhook(receiver.url, { active: false });
    await send(client, 3);
    const begun = await replay(client, id, { only: 'missing' });
    await eventually(async () => (await job(client, begun)).held === 'the target is not active', 'a hold');
    assertProblem(await client.post(`/api/webhooks/${id}/replay`, { since: long_ago() }), 409);
    assert.equal((await client.ok(200, client.delete(`/api/replays/${begun.id}`))).status, 'cancelled');
    assertProblem(await client.delete(`/api/replays/${begun.id}`), 409);
    await client.ok(200, client.patch(`/api/webhooks/${id}`, { active: true }));
    const again = await finished(client, await replay(client, id, { only: 'missing' }));
    assert.equal(again.enqueued, 3);
    await receiver.got(3);
    await engine.idle();
    assert.equal(receiver.requests.length, 3);
    const { items } = await client.ok(200, client.get('/api/replays'));
    assert.deepEqual(items.map((i) => i.status), ['done', 'cancelled']);
  });

  test('that is held goes on when its endpoint is active again', async () => {
    const { id } = await client.webhook(receiver.url, { active: false });
    await send(client, 3);
    const begun = await replay(client, id, { only: 'missing' });
    await eventually(async () => (await job(client, begun)).held, 'a hold');
    await client.ok(200, client.patch(`/api/webhooks/${id}`, { active: true }));
    const ended = await finished(client, begun);
    assert.deepEqual([ended.status, ended.enqueued, ended.held], ['done', 3, null]);
  });

  test('fails when its endpoint is removed', async () => {
    const { id } = await client.webhook(receiver.url, { active: false });
    await send(client, 1);
    const begun = await replay(client, id, { only: 'missing' });
    await client.ok(200, client.delete(`/api/webhooks/${id}`));
    const ended = await finished(client, begun);
    assert.deepEqual([ended.status, ended.reason], ['failed', 'the target was removed']);
  });

  test('of a dead letter has the whole retry schedule before it', async () => {
    receiver.answer = () => ({ status: 500 });
    const { id } = await client.webhook(receiver.url);
    const [event] = await send(client, 1);
    const dead = (attempts) => eventually(async () => {
      const [d] = (await client.get(`/api/events/${event}`)).json.deliveries;
      return d.status === 'dead' && d.attempts.length === attempts;
    }, `a dead letter with ${attempts} attempts`);
    await dead(2);
    await finished(client, await replay(client, id));
    await dead(4);
  });

  test('keeps its rate', async () => {
    const ids = await send(client, 30);
    const { id } = await client.webhook(receiver.url);
    const begun = await replay(client, id, { only: 'missing', rate: 10 });
    const ended = await finished(client, begun);
    assert.equal(ended.enqueued, ids.length);
    const took_s = (Date.parse(ended.ended_at) - Date.parse(ended.created_at)) / 1000;
    assert.ok(took_s >= 2.5, `30 deliveries at 10 a second took ${took_s} s`);
  });

  test('of another org is not there', async () => {
    const { id } = await client.webhook(receiver.url, { active: false });
    await send(client, 1);
    const begun = await replay(client, id, { only: 'missing' });
    const { key } = await engine.ok(201, engine.post('/api/keys', { org_id: 'strangers',
      scopes: ['webhooks:write', 'webhooks:read'] }));
    const other = engine.client(key);
    assertProblem(await other.post(`/api/webhooks/${id}/replay`, { since: long_ago() }), 404);
    assertProblem(await other.get(`/api/replays/${begun.id}`), 404);
    assertProblem(await other.delete(`/api/replays/${begun.id}`), 404);
    assert.deepEqual((await other.get('/api/replays')).json.items, []);
    assert.equal((await job(client, begun)).status, 'running');
    await client.ok(200, client.delete(`/api/replays/${begun.id}`));
  });

  for (const [why, pointer, spec] of [
    ['no since', '/since', { since: undefined }], ['a since that is no time', '/since', { since: 'yesterday' }],
    ['an until that is no time', '/until', { until: '2h' }], ['an until before since', '/until', { until: '2020-01-01T00:00:00Z' }],
    ['another only', '/only', { only: 'some' }], ['no rate', '/rate', { rate: 0 }], ['a huge rate', '/rate', { rate: 10001 }],
    ['an unknown field', '/speed', { speed: 1 }], ["another's org", '/org_id', { org_id: 'other' }]])
    test(`with ${why} is refused`, async () => {
      const { id } = await client.webhook(receiver.url);
      assertProblem(await client.post(`/api/webhooks/${id}/replay`, { since: long_ago(), ...spec }), 422, pointer);
    });

  test('to a plugin calls its hook for what it missed, in the org that is asked for', async () => {
    const noted = (n) => receiver.got(n, (r) => r.url === '/noted');
    const events = await send(engine, 3, { org_id: 'of-plugin' });
    await send(engine, 2, { org_id: 'not-asked' });
    const folder = new PluginFolder('noter', `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      on_alert = function(alert, ctx)
        http.post("${receiver.url}/noted", { json = { id = ctx.event.id } }):expect(200)
      end`, { before: 'local http = require "moonhook.http"' });
    assert.equal((await folder.install(engine)).status, 200);
    const begun = await engine.ok(202, engine.post('/api/plugins/noter/replay',
      { since: long_ago(), only: 'missing', org_id: 'of-plugin' }));
    assert.equal((await finished(engine, begun)).enqueued, 3);
    const got = await noted(3);
    await engine.idle();
    assert.deepEqual(got.map((r) => r.json.id).sort(), events.sort());
    await engine.ok(200, engine.delete('/api/plugins/noter'));
  });
});

describe('moonhook webhook replay', () => {
  const engine = new Engine({ flags: FAST });
  before(() => engine.start());
  after(() => engine.stop());
  beforeEach(async () => {
    await engine.forgetWebhooks();
    receiver.reset();
  });

  function start(...words) {
    return spawn(join(build, 'moonhook'), ['webhook', ...words],
      { env: { PATH: process.env.PATH, MOONHOOK_URL: engine.url, MOONHOOK_KEY: engine.key },
        stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async function ended(child) {
    const chunks = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => chunks.push(data));
    const [code] = await within(once(child, 'close'), 'the end of the command');
    return [code, Buffer.concat(chunks).toString()];
  }

  test('tells what a dry run counted, replays, and lists both', async () => {
    await send(engine, 5);
    const { id } = await engine.webhook(receiver.url);
    const dry = await ended(start('replay', id, '--since', '1h', '--only', 'missing', '--dry-run'));
    assert.equal(dry[0], 0, dry[1]);
    assert.match(dry[1], /^rpl_\w+  done  5 would be delivered of 5 events that match; 5 looked at\n$/);
    const real = await ended(start('replay', id, '--since', long_ago(), '--only=missing'));
    assert.equal(real[0], 0, real[1]);
    assert.match(real[1], /^rpl_\w+  done  5 enqueued of 5 events that match; 5 looked at\n$/);
    await receiver.got(5);
    const list = await ended(start('replays'));
    assert.match(list[1], new RegExp(`done +${id} +missing +no +5 +5 +5 `));
  });

  test('leaves the replay running when it is interrupted, and says how to look', async () => {
    await send(engine, 3);
    const { id } = await engine.webhook(receiver.url, { active: false });
    const child = start('replay', id, '--since', '1h', '--only', 'missing');
    const running = await eventually(async () =>
      (await engine.get('/api/replays')).json.items.find((i) => i.status === 'running' && i.held), 'a hold');
    const end = ended(child);
    child.kill('SIGINT');
    const [code, said] = await end;
    assert.equal(code, 0, said);
    assert.match(said, new RegExp(`^${running.id} goes on; .*replays.*\n.*cancel-replay ${running.id} ends it\n$`));
    assert.equal((await job(engine, running)).status, 'running');
    assert.deepEqual(await ended(start('cancel-replay', running.id)), [0, 'cancelled; what it enqueued is delivered\n']);
  });

  for (const [why, words, said] of [
    ['without --since', [], /takes --since/], ['with a time that is none', ['--since', 'soon'], /neither a time/],
    ['with a rate that is none', ['--since', '1h', '--rate', 'fast'], /not a number/]])
    test(`${why} is a usage error`, async () => {
      const [code, text] = await ended(start('replay', 'wh_1', ...words));
      assert.equal(code, 2);
      assert.match(text, said);
    });
});

// The receiver answers nothing until the kill, and the endpoint has one attempt at a time
// per engine: what has arrived until then is under way and may come twice (Q2). All else
// comes exactly once.
async function killedInTheMiddle(engine, { join = async () => engine, kill }) {
  const EVENTS = 2000;
  const ids = [];
  let open;
  const gate = new Promise((resolve) => { open = () => resolve({}); });
  for (let n = 0; n < EVENTS / 500; n++) ids.push(...await send(engine, 500, { org_id: 'big' }));
  receiver.reset();
  receiver.answer = () => gate;
  const { id } = await engine.webhook(receiver.url, { org_id: 'big', concurrency: 1 });
  const survivor = await join();
  const begun = await replay(engine, id, { only: 'missing', rate: 1000 });
  await receiver.got(1);
  await eventually(async () => (await job(engine, begun)).enqueued >= EVENTS / 8, 'an eighth of the replay');
  assert.equal((await job(engine, begun)).status, 'running');
  const under_way = [...counts(receiver.requests).keys()];
  await kill();
  open();
  const ended = await finished(survivor, begun, 60_000);
  assert.deepEqual([ended.status, ended.looked, ended.enqueued], ['done', EVENTS, EVENTS]);
  await receiver.until(() => counts(receiver.requests).size === EVENTS, 'every event', 60_000);
  await survivor.idle();
  const seen = counts(receiver.requests);
  assert.ok(under_way.length <= 2, `${under_way.length} under way`);
  for (const interrupted of under_way) {
    assert.ok(seen.get(interrupted) <= 2);
    seen.set(interrupted, 1);
  }
  assert.deepEqual(sorted(seen), sorted(eachOnce(ids)));
}

test('an engine that is killed in the middle of a replay goes on where it was (I9)', async () => {
  const engine = await new Engine({ flags: FAST }).start();
  await killedInTheMiddle(engine, { kill: async () => {
    await engine.kill();
    await engine.start();
  } });
  await engine.stop();
});

test('another engine on the same Redis goes on with the replay of one that was killed (I9)', async () => {
  const redis = await new Redis().start();
  const shared = { flags: [...FAST, '--redis', redis.url], env: { MOONHOOK_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') } };
  const first = await new Engine(shared).start(), second = new Engine(shared);
  await killedInTheMiddle(first, { join: () => second.start(), kill: () => first.kill() });
  await second.stop();
  await redis.kill();
});
