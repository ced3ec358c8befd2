// shards.test.mjs - Q8: the queue in several shards, by org, on one Redis: what is where, what
// shards share, and the number that all engines must agree on.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertProblem, Engine, folder } from './lib/engine.mjs';
import { PluginFolder } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { orgsOf, tagOf } from './lib/shards.mjs';
import { eventually } from './lib/wait.mjs';

const SHARDS = 4;
const MASTER_KEY = { MOONHOOK_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') };
const flagsOf = (redis, shards, ...more) =>
  ['--redis', redis.url, '--retry-schedule', '0s,20ms', '--queue-shards', String(shards), ...more];

const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());
afterEach(() => receiver.reset());

async function send(engine, org, count) {
  const body = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ event: 'alert', org_id: org, data: { n } })).join('\n');
  const { items } = await engine.ok(200,
    engine.send('POST', '/api/events/batch', { body, type: 'application/x-ndjson' }));
  return items.map((item) => item.id);
}

const keys = async (redis, pattern) =>
  (await redis.cli('--scan', '--pattern', pattern)).split('\n').filter(Boolean);

const idsOf = (requests) => requests.map((r) => r.headers['webhook-id']).sort();

describe('a queue of four shards', () => {
  const redis = new Redis(), orgs = orgsOf(SHARDS);
  let engine;
  before(async () => {
    await redis.start();
    engine = await new Engine({ flags: flagsOf(redis, SHARDS) }).start();
  });
  after(async () => {
    await engine.stop();
    await redis.kill();
  });
  afterEach(() => engine.forgetWebhooks());

  test("has all that it keeps of an org in the org's shard, and nothing elsewhere", async () => {
    for (const org of orgs) await engine.webhook(receiver.url, { org_id: org });
    for (const org of orgs) await send(engine, org, 3);
    await receiver.got(3 * SHARDS);
    await engine.idle();
    for (const [shard, org] of orgs.entries()) {
      const tag = tagOf(shard, SHARDS);
      const own = await keys(redis, `*${org}*`);
      assert.ok(own.every((key) => key.startsWith(`${tag}:`)), own.join(' '));
      for (const [name, count] of [[`event:${org}/*`, 3], [`events:${org}`, 1], [`delivery:${org}/*`, 3], [`log:${org}/*`, 1]])
        assert.equal((await keys(redis, `${tag}:${name}`)).length, count, name);
      assert.equal(await redis.cli('zcard', `${tag}:engines`), '1');
    }
    assert.deepEqual(await keys(redis, 'mh:{q}*'), []);
  });

  test('tells the story of each event, its deliveries and its place in the list', async () => {
    for (const org of orgs) {
      const { id: webhook } = await engine.webhook(receiver.url, { org_id: org });
      const [id] = await send(engine, org, 1);
      await receiver.got(1, (r) => r.headers['webhook-id'] === id);
      await engine.idle();
      const story = await engine.ok(200, engine.get(`/api/events/${id}?org_id=${org}`));
      assert.deepEqual(story.deliveries.map((d) => d.status), ['delivered']);
      const one = await engine.ok(200, engine.get(`/api/deliveries/${story.deliveries[0].id}?org_id=${org}`));
      assert.equal(one.status, 'delivered');
      const log = await engine.ok(200, engine.get(`/api/webhooks/${webhook}/deliveries`));
      assert.deepEqual(log.items.map((d) => d.id), [one.id]);
      const list = await engine.ok(200, engine.get(`/api/events?org_id=${org}`));
      assert.equal(list.items[0].id, id);
    }
  });

  test('counts the same event of the same producer once, in each org', async () => {
    for (const org of orgs) {
      const first = await engine.event('alert', {}, { id: 'once', org_id: org });
      const again = await engine.event('alert', {}, { id: 'once', org_id: org });
      assert.deepEqual([first.duplicate, again.duplicate], [undefined, true]);
    }
  });

  test('makes a dead letter again when an operator asks', async () => {
    for (const org of orgs) {
      receiver.answer = () => ({ status: 500 });
      await engine.webhook(receiver.url, { org_id: org });
      const [id] = await send(engine, org, 1);
      const delivery = await eventually(async () => {
        const [d] = (await engine.get(`/api/events/${id}?org_id=${org}`)).json.deliveries;
        return d.status === 'dead' && d;
      }, 'a dead letter');
      receiver.reset();
      await engine.ok(202, engine.post(`/api/deliveries/${delivery.id}/retry?org_id=${org}`));
      assert.deepEqual(idsOf(await receiver.got(1)), [id]);
      await engine.idle();
      receiver.reset();
    }
  });

  test('replays in each shard, and finds a replay by its id alone', async () => {
    const since = new Date(Date.now() - 3_600_000).toISOString();
    for (const org of orgs) {
      const sent = await send(engine, `${org}`, 5);
      const { id } = await engine.webhook(receiver.url, { org_id: org });
      const all = (await engine.get(`/api/events?org_id=${org}&limit=200`)).json.items.length;
      const begun = await engine.ok(202, engine.post(`/api/webhooks/${id}/replay`, { since, only: 'missing' }));
      const ended = await eventually(async () => {
        const now = await engine.ok(200, engine.get(`/api/replays/${begun.id}`));
        return now.status !== 'running' && now;
      }, 'the end of the replay');
      assert.deepEqual([ended.status, ended.org_id, ended.enqueued], ['done', org, all]);
      await receiver.got(all);
      await engine.idle();
      assert.ok(sent.every((event) => idsOf(receiver.requests).includes(event)));
      const { items } = await engine.ok(200, engine.get(`/api/replays?org_id=${org}`));
      assert.deepEqual(items.map((i) => i.id), [begun.id]);
      receiver.reset();
    }
  });

  test('has one plugin serve the orgs of all shards', async () => {
    const plugin = new PluginFolder('noter', `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      on_alert = function(alert, ctx)
        http.post("${receiver.url}/noted", { json = { org = ctx.event.org_id } }):expect(200)
      end`, { before: 'local http = require "moonhook.http"' });
    assert.equal((await plugin.install(engine)).status, 200);
    for (const org of orgs) await send(engine, org, 5);
    const got = await receiver.got(5 * SHARDS, (r) => r.url === '/noted');
    for (const org of orgs) assert.equal(got.filter((r) => r.json.org === org).length, 5);
    await engine.idle();
    await engine.forgetPlugins();
  });

  test('is ready, and says of how many shards it is', async () => {
    assert.equal((await engine.get('/readyz')).status, 200);
    assert.equal(await engine.metric('moonhook_queue_shards'), SHARDS);
    assert.equal(await engine.metric('moonhook_queue_shards_joined'), SHARDS);
  });

  test('goes on by itself after FLUSHALL, and with the same number of shards', async () => {
    await redis.cli('flushall');
    await eventually(async () => await redis.cli('get', 'mh:{c}:shards') === String(SHARDS), 'the number');
    for (const org of orgs)
      await eventually(async () => (await engine.post('/api/events', { event: 'alert', data: {}, org_id: org })).status === 202,
                       'an event that is accepted');
    assert.equal(await redis.cli('get', 'mh:{c}:shards'), String(SHARDS));
  });
});

describe('room in memory (I6)', () => {
  const redis = new Redis(), orgs = orgsOf(SHARDS);
  before(() => redis.start());
  after(() => redis.kill());

  test('is common: one org may use what the others leave', async () => {
    const engine = await new Engine({ flags: flagsOf(redis, SHARDS, '--max-owned', '100', '--webhook-concurrency', '100') }).start();
    let open;
    const gate = new Promise((resolve) => { open = () => resolve({}); });
    receiver.answer = () => gate;
    await engine.webhook(receiver.url, { org_id: orgs[0], concurrency: 90 });
    await send(engine, orgs[0], 90);
    await receiver.got(60);             // a quarter of the places would be 25
    open();
    await receiver.got(90);
    await engine.idle();
    await engine.stop();
  });

  test('is not all taken by one org with a long backlog', async () => {
    const engine = await new Engine({ flags: flagsOf(redis, SHARDS, '--max-owned', '100', '--webhook-concurrency', '100') }).start();
    const BACKLOG = 3000, arrived = (url) => receiver.requests.filter((r) => r.url === url).length;
    receiver.answer = (r) => (r.url === '/long' ? sleep(20, {}) : {});
    await engine.webhook(`${receiver.url}/long`, { org_id: orgs[0], concurrency: 100 });
    await engine.webhook(`${receiver.url}/short`, { org_id: orgs[1] });
    for (let n = 0; n < BACKLOG / 1000; n++) await send(engine, orgs[0], 1000);
    await receiver.got(100, (r) => r.url === '/long');
    await send(engine, orgs[1], 50);
    await receiver.got(50, (r) => r.url === '/short');
    assert.ok(arrived('/long') < BACKLOG, 'the others came before the end of the backlog');
    await receiver.got(BACKLOG, (r) => r.url === '/long');
    await engine.idle();
    assert.equal(arrived('/long') + arrived('/short'), BACKLOG + 50);
    await engine.stop();
  });
});

describe('an engine that is killed', () => {
  test('is taken over in every shard by another, and nothing is lost (Q2, I3)', async (t) => {
    const redis = await new Redis().start(), orgs = orgsOf(SHARDS);
    const shared = { flags: flagsOf(redis, SHARDS), env: MASTER_KEY };
    const first = await new Engine(shared).start();
    let open;
    const gate = new Promise((resolve) => { open = () => resolve({}); });
    receiver.answer = () => gate;
    for (const org of orgs) await first.webhook(receiver.url, { org_id: org, concurrency: 2 });
    const sent = [];
    for (const org of orgs) sent.push(...await send(first, org, 50));
    await receiver.got(2 * SHARDS);
    const second = await new Engine(shared).start();
    await first.kill();
    open();
    await receiver.until((all) => new Set(idsOf(all)).size === sent.length, 'every event');
    await second.idle();
    assert.deepEqual([...new Set(idsOf(receiver.requests))], sent.sort());
    t.diagnostic(`sent=${sent.length} repeats=${receiver.requests.length - sent.length}`);
    assert.ok(receiver.requests.length <= sent.length + 2 * SHARDS, 'only what was under way is repeated');
    for (let shard = 0; shard < SHARDS; shard++) {
      assert.equal(await redis.cli('zcard', `${tagOf(shard, SHARDS)}:engines`), '1');
      assert.deepEqual(await keys(redis, `${tagOf(shard, SHARDS)}:own:*`), []);
    }
    await second.stop();
    await redis.kill();
  });
});

test('an engine that is killed finds what it held in each shard of its own Redis (Q2)', async () => {
  const orgs = orgsOf(SHARDS), engine = await new Engine({ flags: ['--queue-shards', String(SHARDS)] }).start();
  let open;
  const gate = new Promise((resolve) => { open = () => resolve({}); });
  receiver.answer = () => gate;
  for (const org of orgs) await engine.webhook(receiver.url, { org_id: org, concurrency: 1 });
  const sent = [];
  for (const org of orgs) sent.push(...await send(engine, org, 20));
  await receiver.got(SHARDS);
  await engine.kill();
  open();
  await engine.start();
  await receiver.until((all) => new Set(idsOf(all)).size === sent.length, 'every event');
  await engine.idle();
  assert.ok(receiver.requests.length <= sent.length + SHARDS, 'only what was under way is repeated');
  await engine.stop();
});

test('a worker that dies is followed in each shard by one that need not wait', async () => {
  const orgs = orgsOf(SHARDS), hung = await new Receiver().start();
  const engine = await new Engine({ flags: ['--queue-shards', String(SHARDS), '--workers', '2'] }).start();
  hung.answer = () => ({ hang: true });
  for (const org of orgs) await engine.webhook(hung.url, { org_id: org });
  for (let n = 0; n < 10; n++)
    await Promise.all(orgs.map((org) => engine.event('alert', {}, { org_id: org })));
  const hanging = await hung.got(10 * SHARDS);
  hung.answer = () => ({});
  const victim = readFileSync(`/proc/${engine.pid}/task/${engine.pid}/children`, 'utf8').trim().split(' ')
    .find((child) => readFileSync(`/proc/${child}/comm`, 'utf8').trim() === 'moonhook');
  process.kill(Number(victim), 'SIGKILL');
  const taken = await eventually(() => {
    const lines = engine.lines.filter((line) => /event=queue_taken_over/.test(line));
    return lines.length === SHARDS && lines;
  }, 'a successor in each shard');
  const held = taken.reduce((sum, line) => sum + Number(line.match(/deliveries=(\d+)/)[1]), 0);
  assert.ok(held > 0, taken.join('\n'));
  await hung.got(hanging.length + held);
  await hung.stop();
  await engine.stop();
});

describe('the number of shards', () => {
  const redis = new Redis();
  const engine = (shards) => new Engine({ flags: flagsOf(redis, shards), env: MASTER_KEY });
  before(() => redis.start());
  after(() => redis.kill());
  afterEach(() => redis.cli('flushall'));

  async function refused(shards, stored) {
    const one = engine(shards);
    await assert.rejects(one.start(), /the engine ended \(1\)/);
    await one.logged(new RegExp(`event=queue_shards_differ setting=--queue-shards given=${shards} stored=${stored} `
      + `do="start with --queue-shards ${stored}; .*docs/redis.md"`));
    one.check();
  }

  const started = async (shards, then = async () => {}) => {
    const one = await engine(shards).start();
    await then(one);
    await one.stop();
  };

  const stored = () => redis.cli('get', 'mh:{c}:shards');

  for (const [from, to] of [[1, 4], [4, 1], [3, 4], [4, 3]])
    test(`is not changed from ${from} to ${to} while an event is stored`, async () => {
      await started(from, (one) => one.event('alert', {}, { org_id: orgsOf(from)[from - 1] }));
      await refused(to, from);
      assert.equal(await stored(), String(from));
      await started(from);
    });

  test('is one where an engine from before there was a number kept its queue', async () => {
    await started(1, (one) => one.event('alert'));
    await redis.cli('del', 'mh:{c}:shards');
    await refused(4, 1);
    await started(1, async (one) => assert.equal((await one.get('/api/events')).json.items.length, 1));
    assert.equal(await stored(), '1');
  });

  for (const [from, to] of [[1, 4], [4, 1], [3, 4], [4, 3]])
    test(`is changed from ${from} to ${to} when the queue is empty`, async () => {
      await started(from);
      await started(to, async (one) => {
        const [org] = orgsOf(to).slice(-1);
        const { id } = await one.event('alert', {}, { org_id: org });
        assert.deepEqual(await keys(redis, `*${id}`), [`${tagOf(to - 1, to)}:event:${org}/${id}`]);
      });
      assert.equal(await stored(), String(to));
    });

  for (const [from, to] of [[1, 3], [3, 4]])
    test(`is not changed from ${from} to ${to} while an engine goes by the former`, async () => {
      await started(from, () => refused(to, from));
    });

  test('is changed behind a queue that was drained and deleted as docs/redis.md says', async () => {
    const [org] = orgsOf(3).slice(-1);
    await started(3, async (one) => {
      await one.webhook(receiver.url, { org_id: org });
      await one.event('alert', {}, { org_id: org });
      await receiver.got(1);
      await eventually(async () => await one.metric('moonhook_deliveries_pending') === 0, 'a drained queue');
    });
    await refused(4, 3);
    await redis.cli('unlink', ...await keys(redis, 'mh:{q*}:*'));
    await started(4, async (one) => {
      assert.equal((await one.get(`/api/webhooks?org_id=${org}`)).json.items.length, 1, 'the configuration stays');
      await one.event('alert', {}, { org_id: org });
      await receiver.got(2);
    });
  });

  test('is agreed on by workers that start together', async () => {
    await started(3);
    const many = new Engine({ flags: [...flagsOf(redis, 4), '--workers', '3'], data: folder(), env: MASTER_KEY });
    await many.start();
    await many.ok(202, many.post('/api/events', { event: 'alert', data: {} }));
    assert.equal(await stored(), '4');
    assert.equal(await eventually(async () => await redis.cli('zcard', 'mh:{q0}:engines') === '3', 'three engines'), true);
    await many.stop();
  });

  test('out of bounds is a usage error', async () => {
    await assert.rejects(engine(65).start(), /the engine ended/);
  });

  test('keeps an unknown delivery unknown', async () => {
    await started(4, async (one) => {
      assertProblem(await one.get('/api/deliveries/evt_1~wh_1'), 404);
      assertProblem(await one.get('/api/replays/rpl_1'), 404);
      assertProblem(await one.delete('/api/replays/rpl_1'), 404);
    });
  });
});
