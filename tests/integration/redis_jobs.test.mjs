// redis_jobs.test.mjs - replays and retention where Redis is a cluster, with a shard of the queue
// on each master, or a master that sentinels watch; and across their fail-over (I9, I10, Q8).
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Cluster, Watched } from './lib/redis_sets.mjs';
import { orgsOf, tagOf } from './lib/shards.mjs';
import { eventually } from './lib/wait.mjs';

const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

async function send(engine, org, count) {
  const ids = [];
  for (let left = count; left > 0; left -= 500) {
    const body = Array.from({ length: Math.min(left, 500) }, (_, n) =>
      JSON.stringify({ event: 'alert', org_id: org, data: { n } })).join('\n');
    const { items } = await engine.ok(200,
      engine.send('POST', '/api/events/batch', { body, type: 'application/x-ndjson' }));
    ids.push(...items.map((item) => item.id));
  }
  return ids;
}

const job = (engine, { id }) => engine.ok(200, engine.get(`/api/replays/${id}`));

// Redis may be away meanwhile.
const finished = (engine, { id }) => eventually(async () => {
  const { status, json } = await engine.get(`/api/replays/${id}`);
  return status === 200 && json.status !== 'running' && json;
}, 'the end of the replay', 40_000);

const replay = (engine, webhook, spec) => engine.ok(202, engine.post(`/api/webhooks/${webhook.id}/replay`,
  { since: new Date(Date.now() - 3_600_000).toISOString(), only: 'missing', ...spec }));

const idsOf = (requests) => [...new Set(requests.map((r) => r.headers['webhook-id']))].sort();

const SETS = [
  { name: 'a Redis Cluster', Servers: Cluster, shards: 3,
    async killMaster(servers, tag) {
      const old = await servers.masterOf(tag);
      await old.kill();
      await eventually(async () => await servers.masterOf(tag) !== old, 'a promoted replica');
      return () => old.start();
    },
    masterOf: (servers, tag) => servers.masterOf(tag) },
  { name: 'a master that sentinels watch', Servers: Watched, shards: 2,
    async killMaster(servers) {
      const old = servers.master;
      await old.kill();
      servers.now = await servers.promoted(old);
      return () => {};
    },
    masterOf: (servers) => servers.now ?? servers.master },
];

for (const { name, Servers, shards, killMaster, masterOf } of SETS)
  describe(`on ${name}`, () => {
    const servers = new Servers(), orgs = orgsOf(shards);
    let engine;
    before(() => servers.start());
    after(() => servers.stop());
    afterEach(async () => {
      await engine?.stop();
      receiver.reset();
    });

    const start = async (...flags) => {
      engine = await new Engine({ data: engine?.data, flags: ['--redis', servers.url, '--queue-shards', `${shards}`,
        '--retry-schedule', '0s,20ms', ...flags] }).start();
    };

    const count = async (pattern, tag) =>
      (await (await masterOf(servers, tag)).cli('--scan', '--pattern', pattern)).split('\n').filter(Boolean).length;

    test('a replay sends what was missed, in each shard, once', async () => {
      await start();
      for (const org of orgs) {
        const sent = await send(engine, org, 300);
        const webhook = await engine.webhook(receiver.url, { org_id: org });
        const dry = await replay(engine, webhook, { dry_run: true });
        assert.deepEqual([dry.status, dry.enqueued], ['done', 300]);
        const ended = await finished(engine, await replay(engine, webhook, { rate: 2000 }));
        assert.deepEqual([ended.status, ended.looked, ended.enqueued], ['done', 300, 300]);
        await receiver.got(300);
        await engine.idle();
        assert.equal(receiver.requests.length, 300);
        assert.deepEqual(idsOf(receiver.requests), sent.sort());
        receiver.reset();
      }
    });

    test('a replay whose master is killed goes on and skips nothing (I9)', async (t) => {
      const EVENTS = 1500, org = `${orgsOf(shards, 'moved')[0]}`, tag = tagOf(0, shards);
      await start();
      const sent = await send(engine, org, EVENTS);
      const webhook = await engine.webhook(receiver.url, { org_id: org });
      const begun = await replay(engine, webhook, { rate: 300 });
      await eventually(async () => (await job(engine, begun)).enqueued >= EVENTS / 5, 'a fifth of the replay');
      const goOn = await killMaster(servers, tag);
      const ended = await finished(engine, begun);
      await goOn();
      assert.deepEqual([ended.status, ended.looked], ['done', EVENTS]);
      await receiver.until((all) => idsOf(all).length === EVENTS, 'every event');
      await engine.idle();
      assert.deepEqual(idsOf(receiver.requests), sent.sort());
      t.diagnostic(`events=${EVENTS} enqueued=${ended.enqueued} repeats=${receiver.requests.length - EVENTS}`);
    });

    test('events beyond their number go, with their deliveries, also after a fail-over (Q6, I10)', async () => {
      await start('--retention-events', '10');
      const many = orgsOf(shards, 'many');
      const left = async (org) => (await engine.ok(200, engine.get(`/api/events?org_id=${org}&limit=200`))).items.length;
      const trimmed = async () => {
        for (const [shard, org] of many.entries()) {
          const tag = tagOf(shard, shards);
          await eventually(async () => await left(org) === 10, `ten events of ${org}`);
          await eventually(async () => await count(`${tag}:delivery:${org}/*`, tag) === 10, `ten records of ${org}`);
        }
      };
      for (const org of many) {
        await engine.webhook(receiver.url, { org_id: org });
        await send(engine, org, 40);
      }
      await receiver.got(40 * shards);
      await trimmed();
      const goOn = await killMaster(servers, tagOf(0, shards));
      await goOn();
      for (const org of many)
        await eventually(async () => (await engine.post('/api/events', { event: 'alert', data: {}, org_id: org })).status === 202,
                         'an event that is accepted');
      for (const org of many) await send(engine, org, 40);
      await receiver.got(81 * shards);
      await trimmed();
      assert.ok(await engine.metric('moonhook_events_stored') > 0);
    });
  });
