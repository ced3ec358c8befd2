// redis_cluster.test.mjs - Q2, Q5, Q8: a Redis Cluster under load, with a shard of the queue on
// each master; slots move, masters die, and the orgs of the other shards notice nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { PluginFolder } from './lib/plugins.mjs';
import { Producer } from './lib/producer.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Cluster } from './lib/redis_sets.mjs';
import { orgsOf, tagOf } from './lib/shards.mjs';
import { eventually } from './lib/wait.mjs';

const SHARDS = 3, CONFIG = 'mh:{c}';
const orgs = orgsOf(SHARDS), tags = orgs.map((_, shard) => tagOf(shard, SHARDS));
const FLAGS = ['--redis-wait', '1', '--queue-shards', String(SHARDS)];

const cluster = new Cluster();
const receiver = new Receiver();
let engine;
before(async () => {
  await Promise.all([cluster.start(), receiver.start()]);
  engine = await new Engine({ flags: ['--redis', cluster.url, ...FLAGS] }).start();
  for (const org_id of orgs) await engine.webhook(receiver.url, { org_id });
});
after(async () => {
  await engine?.stop();
  await Promise.all([cluster.stop(), receiver.stop()]);
});

const arrived = (ids) => receiver.until((all) => {
  const seen = new Set(all.map((r) => r.json.id));
  return [...ids].every((id) => seen.has(id));
}, 'every accepted event');

const repeats = (accepted) => receiver.requests.filter((r) => accepted.has(r.json.id)).length - accepted.size;

const acceptedAfter = (producer, since) => eventually(() =>
  [...producer.accepted.values()].find((at) => at > since), 'events accepted again');

// Moves a shard's slot, key by key, as `redis-cli --cluster reshard` does. `midway` comes
// when all keys are moved and the slot is not yet.
async function moveShard(tag, from, to, midway) {
  const slot = await from.cli('cluster', 'keyslot', tag);
  const ids = { from: await cluster.idOf(from), to: await cluster.idOf(to) };
  await to.cli('cluster', 'setslot', slot, 'importing', ids.from);
  await from.cli('cluster', 'setslot', slot, 'migrating', ids.to);
  for (;;) {
    const keys = (await from.cli('cluster', 'getkeysinslot', slot, '100')).split('\n').filter(Boolean);
    if (keys.length === 0) break;
    await from.cli('migrate', '127.0.0.1', String(to.port), '', '0', '5000', 'auth', to.password, 'keys', ...keys);
  }
  await midway();
  for (const node of [to, from]) await node.cli('cluster', 'setslot', slot, 'node', ids.to);
}

// How often a master ran this command, also within scripts.
const calls = async (node, command) =>
  Number((await node.cli('info', 'commandstats')).match(new RegExp(`cmdstat_${command}:calls=(\\d+)`))?.[1] ?? 0);

describe('an engine on a Redis Cluster', () => {
  test('has all masters at work, each for the orgs of its shard', async (t) => {
    const masters = await Promise.all(tags.map((tag) => cluster.masterOf(tag)));
    assert.equal(new Set(masters).size, SHARDS, 'this test wants a master for each shard');
    for (const master of masters) await master.cli('config', 'resetstat');
    const EVENTS = 60;
    for (let n = 0; n < EVENTS; n++) await engine.event('alert', {}, { org_id: orgs[n % SHARDS] });
    await receiver.got(EVENTS);
    await engine.idle();
    const slots = await Promise.all(tags.map((tag, n) => masters[n].cli('cluster', 'keyslot', tag)));
    const written = await Promise.all(masters.map((m) => calls(m, 'set')));
    t.diagnostic(tags.map((tag, n) => `${tag} slot=${slots[n]} master=${masters[n].name} set_calls=${written[n]}`).join('; '));
    assert.deepEqual(written, tags.map(() => 2 * EVENTS / SHARDS), 'its events and their records');
    for (const [n, master] of masters.entries()) {
      assert.match(await master.cli('keys', '*'), new RegExp(`^mh:\\{q${n}\\}:engines$`, 'm'));
      assert.equal(await master.cli('keys', `mh:{q*}:event:${orgs[(n + 1) % SHARDS]}/*`), '');
    }
    assert.match(await (await cluster.masterOf(CONFIG)).cli('keys', '*'), /^mh:\{c\}:webhooks$/m);
  });

  test('follows the slot of a shard to another master while events come', async (t) => {
    const from = await cluster.masterOf(tags[0]), to = await cluster.masterOf(tags[1]);
    const { id } = await engine.event('alert', {}, { org_id: orgs[0] });
    await engine.idle();
    const producer = new Producer().start([engine], { name: 'moving', org: orgs[0] });
    await eventually(() => producer.accepted.size > 100, '100 accepted events');
    await moveShard(tags[0], from, to, async () => {
      const story = await engine.ok(200, engine.get(`/api/events/${id}?org_id=${orgs[0]}`));
      assert.equal(story.deliveries[0].status, 'delivered', 'asked of the node that has the key by now');
    });
    await acceptedAfter(producer, Date.now());
    const accepted = await producer.stop();
    await arrived(accepted.keys());
    await engine.idle();
    t.diagnostic(`accepted=${accepted.size} refused=${producer.refused}`);
    assert.equal((await cluster.masterOf(tags[0])).port, to.port);
    assert.equal(await from.cli('cluster', 'countkeysinslot', await from.cli('cluster', 'keyslot', tags[0])), '0');
    await moveShard(tags[0], to, from, async () => {});
    await eventually(async () => await engine.metric('moonhook_queue_shards_joined') === SHARDS, 'all shards');
  });

  test('loses nothing that was answered 202 when a master is killed, and accepts for all other orgs meanwhile', async (t) => {
    const old = await cluster.masterOf(tags[0]);
    assert.notEqual(old, await cluster.masterOf(CONFIG), 'this test wants the configuration elsewhere');
    const producers = orgs.map((org) => new Producer().start([engine], { name: `dying-${org}`, org, lines: 2 }));
    await eventually(() => producers.every((p) => p.accepted.size > 300), '300 accepted events of each org');
    const killed = Date.now(), before = producers.map((p) => p.refused);
    await old.kill();
    const away = await eventually(async () => {
      const answer = await engine.get('/readyz');
      return answer.json.shards_away && answer;
    }, 'a shard that is away');
    assert.equal(away.status, 200, 'the other orgs are served');
    assert.deepEqual([away.json.shards, away.json.shards_away], [SHARDS, 1]);
    await eventually(async () => await cluster.masterOf(tags[0]) !== old, 'a promoted replica');
    const promoted = Date.now();
    await eventually(async () => await engine.metric('moonhook_queue_shards_joined') === SHARDS, 'all shards again');
    const joined = Date.now();
    const refused = await engine.post('/api/events', { event: 'alert', data: {}, org_id: orgs[0] });
    assert.equal(refused.status, 503, 'the new master has no replica yet');
    await old.start();
    await acceptedAfter(producers[0], Date.now());
    const resumed = Date.now();
    await Promise.all(producers.map((p) => p.stop()));
    for (const [n, producer] of producers.entries()) {
      const { accepted } = producer;
      await arrived(accepted.keys());
      const meanwhile = [...accepted.values()].filter((at) => at > killed && at < promoted).length;
      t.diagnostic(`${tags[n]} accepted=${accepted.size} lost=0 refused=${producer.refused - before[n]} `
        + `accepted_until_promoted=${meanwhile} longest_pause_ms=${producer.longestPause(killed, resumed)} `
        + `repeats=${repeats(accepted)}`);
      if (n === 0) continue;
      assert.equal(producer.refused - before[n], 0, `${orgs[n]} was refused nothing`);
      assert.ok(meanwhile > 0, `${orgs[n]} was accepted for until a replica was promoted`);
    }
    await engine.idle();
    t.diagnostic(`promoted_ms=${promoted - killed} joined_ms=${joined - promoted} replica_back_ms=${resumed - joined}`);
  });

  test('goes on accepting while the master of the configuration is away', async (t) => {
    const old = await cluster.masterOf(CONFIG), replica = await cluster.replicaOf(old), spared = [];
    for (const [n, tag] of tags.entries()) if (await cluster.masterOf(tag) !== old) spared.push(orgs[n]);
    assert.ok(spared.length > 0);
    const { id } = await engine.event('alert', {}, { org_id: spared[0] });
    const producers = spared.map((org) => new Producer().start([engine], { name: `config-${org}`, org, lines: 2 }));
    await eventually(() => producers.every((p) => p.accepted.size > 50), '50 accepted events of each org');
    const before = producers.map((p) => p.refused);
    replica.freeze();
    await old.kill();
    await eventually(async () => await engine.metric('moonhook_redis_up') === 0, 'a lost master');
    // Whether a target is gone cannot be known now: its delivery is looked at again later.
    const due = `${tags[orgs.indexOf(spared[0])]}:due`, unknown = `${spared[0]}/${id}~wh_unknown`;
    const home = await cluster.masterOf(due), killed = Date.now();
    await home.cli('zadd', due, '0', unknown);
    await eventually(async () => Number(await home.cli('zscore', due, unknown)) > killed, 'a delivery that is given back');
    replica.thaw();
    await eventually(async () => await cluster.masterOf(CONFIG) !== old, 'a promoted replica');
    await eventually(async () => await engine.metric('moonhook_redis_up') === 1, 'all masters again');
    await old.start();
    await engine.logged(new RegExp(`event=delivery_cancelled delivery=${unknown} reason="the target was removed"`));
    await Promise.all(producers.map((p) => p.stop()));
    for (const [n, producer] of producers.entries()) {
      await arrived(producer.accepted.keys());
      t.diagnostic(`${spared[n]} accepted=${producer.accepted.size} lost=0 refused=${producer.refused - before[n]}`);
      assert.equal(producer.refused - before[n], 0);
    }
    await eventually(async () => (await engine.post('/api/webhooks', { url: receiver.url, org_id: 'later' })).status === 201,
                     'a webhook that can be made');
  });

  test('starts from any node that it is told of', async () => {
    const node = cluster.nodes.find((n) => n.running);
    const other = await new Engine({ data: engine.data,
      flags: ['--redis', `redis+cluster://:${node.password}@${node.name}`, '--queue-shards', String(SHARDS)] }).start();
    const { id } = await other.event('alert', {}, { org_id: orgs[1] });
    await receiver.got(1, (r) => r.json.id === id);
    await other.stop();
  });

  test('serves the other orgs while one master has no memory left', async () => {
    const master = await cluster.masterOf(tags[0]);
    const post = async (org_id) => (await engine.post('/api/events', { event: 'alert', data: {}, org_id })).status;
    await eventually(async () => await post(orgs[0]) === 202, 'an event that is accepted');
    await master.cli('config', 'set', 'maxmemory', '1');
    await eventually(async () => await post(orgs[0]) === 503, 'an event that is refused');
    const ready = await engine.get('/readyz');
    assert.deepEqual([ready.status, ready.json.shards_away], [200, 1]);
    assert.equal(await post(orgs[1]), 202);
    await master.cli('config', 'set', 'maxmemory', '0');
    await eventually(async () => await post(orgs[0]) === 202, 'an event that is accepted again');
    assert.equal((await engine.get('/readyz')).json.shards_away, undefined);
  });

  test('has a plugin go on for the other orgs while a shard is away whose records wait', async () => {
    const BEHIND = 512, EVENTS = 800;       // so many records wait at most (queue_write.c)
    const plugin = new PluginFolder('noter', `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      on_alert = function(alert, ctx)
        http.post("${receiver.url}/noted", { json = { org = ctx.event.org_id } }):expect(200)
      end`, { before: 'local http = require "moonhook.http"' });
    await engine.forgetWebhooks();
    assert.equal((await plugin.install(engine)).status, 200);
    const noted = (count, org) => receiver.got(count, (r) => r.url === '/noted' && r.json.org === org);
    let open;
    const gate = new Promise((resolve) => { open = () => resolve({}); });
    receiver.reset();
    receiver.answer = () => gate;
    const body = JSON.stringify(Array.from({ length: EVENTS }, () => ({ event: 'alert', org_id: orgs[0], data: {} })));
    await engine.ok(200, engine.send('POST', '/api/events/batch', { body }));
    const master = await cluster.masterOf(tags[0]), replica = await cluster.replicaOf(master);
    replica.freeze();
    await master.kill();
    await eventually(async () => (await engine.get('/readyz')).json.shards_away === 1, 'a shard that is away');
    open();
    await noted(BEHIND, orgs[0]);
    for (let n = 0; n < 20; n++) await engine.event('alert', {}, { org_id: orgs[1] });
    await noted(20, orgs[1]);
    assert.ok(receiver.requests.filter((r) => r.json.org === orgs[0]).length < EVENTS, 'the rest of that shard waits');
    replica.thaw();
    await noted(EVENTS, orgs[0]);
    await master.start();
    await engine.idle();
    await engine.forgetPlugins();
  });
});
