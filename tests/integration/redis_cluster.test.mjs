// redis_cluster.test.mjs - Q2, Q5, Q8: a Redis Cluster under load, whose slots move and
// whose masters die.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { Producer } from './lib/producer.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Cluster } from './lib/redis_sets.mjs';
import { eventually } from './lib/wait.mjs';

const QUEUE = 'mh:{q}', CONFIG = 'mh:{c}';

const cluster = new Cluster();
const receiver = new Receiver();
let engine;
before(async () => {
  await Promise.all([cluster.start(), receiver.start()]);
  engine = await new Engine({ flags: ['--redis', cluster.url, '--redis-wait', '1'] }).start();
  await engine.webhook(receiver.url);
});
after(async () => {
  await engine?.stop();
  await Promise.all([cluster.stop(), receiver.stop()]);
});

const arrived = (ids) => receiver.until((all) => {
  const seen = new Set(all.map((r) => r.json.id));
  return [...ids].every((id) => seen.has(id));
}, 'every accepted event');

const acceptedAfter = (producer, since) => eventually(() =>
  [...producer.accepted.values()].find((at) => at > since), 'events accepted again');

// Moves the queue's slot, key by key, as `redis-cli --cluster reshard` does. `midway` comes
// when all keys are moved and the slot is not yet.
async function moveQueue(from, to, midway) {
  const slot = await from.cli('cluster', 'keyslot', QUEUE);
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

describe('an engine on a Redis Cluster', () => {
  test('keeps its queue and its configuration where their slots are', async () => {
    await engine.event('alert');
    await receiver.got(1);
    const [queue, config] = await Promise.all([cluster.masterOf(QUEUE), cluster.masterOf(CONFIG)]);
    assert.notEqual(queue, config, 'this test wants two masters at work');
    assert.match(await queue.cli('keys', '*'), /^mh:\{q\}:engines$/m);
    assert.match(await config.cli('keys', '*'), /^mh:\{c\}:webhooks$/m);
  });

  test('follows the slot of its queue to another master while events come', async (t) => {
    const from = await cluster.masterOf(QUEUE), to = await cluster.masterOf(CONFIG);
    const { id } = await engine.event('alert');
    await engine.idle();
    const producer = new Producer().start([engine], { name: 'moving' });
    await eventually(() => producer.accepted.size > 100, '100 accepted events');
    await moveQueue(from, to, async () => {
      const story = await engine.ok(200, engine.get(`/api/events/${id}`));
      assert.equal(story.deliveries[0].status, 'delivered', 'asked of the node that has the key by now');
    });
    await acceptedAfter(producer, Date.now());
    const accepted = await producer.stop();
    await arrived(accepted.keys());
    await engine.idle();
    t.diagnostic(`accepted=${accepted.size} refused=${producer.refused}`);
    assert.equal((await cluster.masterOf(QUEUE)).port, to.port);
    assert.equal(await from.cli('cluster', 'countkeysinslot', await from.cli('cluster', 'keyslot', QUEUE)), '0');
  });

  test('loses nothing that was answered 202 when the master of its queue is killed', async (t) => {
    const old = await cluster.masterOf(QUEUE), producer = new Producer().start([engine], { name: 'dying' });
    await eventually(() => producer.accepted.size > 200, '200 accepted events');
    await old.kill();
    await eventually(async () => await cluster.masterOf(QUEUE) !== old, 'a promoted replica');
    const promoted = Date.now();
    await eventually(async () => (await engine.get('/readyz')).status === 200, 'a green /readyz');
    const ready = Date.now() - promoted;
    await arrived(producer.accepted.keys());
    const refused = await engine.post('/api/events', { event: 'alert', data: {} });
    assert.equal(refused.status, 503, 'the new master has no replica yet');
    await old.start();
    await acceptedAfter(producer, Date.now());
    const accepted = await producer.stop();
    await arrived(accepted.keys());
    await engine.idle();
    t.diagnostic(`accepted=${accepted.size} refused=${producer.refused} ready_ms=${ready} repeats=`
      + `${receiver.requests.filter((r) => accepted.has(r.json.id)).length - accepted.size}`);
  });

  test('starts from any node that it is told of', async () => {
    const node = cluster.nodes.find((n) => n.running);
    const other = await new Engine({
      flags: ['--redis', `redis+cluster://:${node.password}@${node.name}`], data: engine.data }).start();
    const { id } = await other.event('alert');
    await receiver.got(1, (r) => r.json.id === id);
    await other.stop();
  });
});
