// redis_tls.test.mjs - Q2, Q8: sentinels and a cluster that are spoken to over TLS, and planned
// fail-overs under load: nothing that was answered 202 is lost.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { makeCertificates } from './lib/certificates.mjs';
import { Engine, folder } from './lib/engine.mjs';
import { Producer } from './lib/producer.mjs';
import { Receiver } from './lib/receiver.mjs';
import { tlsOf } from './lib/redis.mjs';
import { Cluster, Watched } from './lib/redis_sets.mjs';
import { eventually } from './lib/wait.mjs';

const dir = folder('mh-tls-');
const { caFile } = makeCertificates(dir);
const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());
beforeEach(() => receiver.reset());

// Events come while `change` is made; it gives when the new master was there.
async function underLoad(t, engine, change) {
  const producer = new Producer().start([engine], { name: `planned-${Date.now()}` });
  await eventually(() => producer.accepted.size > 200, '200 accepted events');
  const begun = Date.now();
  await change();
  const changed = Date.now();
  await eventually(() => [...producer.accepted.values()].some((at) => at > changed), 'events accepted again');
  const before = producer.accepted.size;
  await eventually(() => producer.accepted.size > before + 100, '100 more events');
  const accepted = await producer.stop();
  const missing = () => {
    const seen = new Set(receiver.requests.map((r) => r.json.id));
    return [...accepted.keys()].filter((id) => !seen.has(id)).length;
  };
  await receiver.until(() => missing() === 0, 'every accepted event');
  const times = [...accepted.values()].filter((at) => at >= begun).sort((a, b) => a - b);
  const gap = Math.max(...times.map((at, i) => at - (i ? times[i - 1] : begun)));
  t.diagnostic(`accepted=${accepted.size} lost=${missing()} refused=${producer.refused} repeats=`
    + `${receiver.requests.filter((r) => accepted.has(r.json.id)).length - accepted.size} longest_gap_ms=${gap}`);
}

const CHECKS = (name, servers, masterOf, failOver) => describe(`${name} over TLS`, () => {
  let engine;
  before(async () => {
    await servers.start();
    engine = await new Engine({ flags: ['--redis', servers.url, '--ca-file', caFile, '--redis-wait', '1'] }).start();
    await engine.webhook(receiver.url);
  });
  after(async () => {
    await engine?.stop();
    await servers.stop();
  });

  test('takes and delivers events', async () => {
    assert.match(servers.url, /^rediss\+/);
    await engine.event('alert');
    await receiver.got(1);
  });

  for (const time of ['first', 'second'])
    test(`loses nothing in a planned fail-over, the ${time} time`, async (t) => {
      const old = await masterOf();
      await underLoad(t, engine, () => failOver(old));
      assert.match(await (await masterOf()).cli('role'), /^master/);
    });

  test('loses nothing when the master is killed', async (t) => {
    const old = await masterOf();
    await underLoad(t, engine, async () => {
      await old.kill();
      await eventually(async () => (await masterOf().catch(() => old)) !== old, 'a new master');
      await old.start();                // as its replica, which --redis-wait 1 wants
    });
  });

  test('is not reached without its authority', async () => {
    const stranger = new Engine({ flags: ['--redis', servers.url] });
    const started = stranger.start().catch(() => 'it never served');
    await stranger.logged(/certificate|tls/i);
    stranger.remove();
    assert.equal(await started, 'it never served');
  });
});

const watched = new Watched(tlsOf(dir));
const watchedMaster = async () => {
  for (const s of watched.sentinels) {
    const [, port] = (await s.cli('sentinel', 'get-master-addr-by-name', 'mymaster').catch(() => '')).split('\n');
    const found = [watched.master, ...watched.replicas].find((r) => String(r.port) === port);
    if (found) return found;
  }
  throw new Error('no sentinel answers');
};
CHECKS('sentinels', watched, watchedMaster, async (old) => {
  const [sentinel] = watched.sentinels;
  await eventually(async () => await sentinel.cli('sentinel', 'failover', 'mymaster') === 'OK', 'a fail-over');
  await watched.promoted(old);
});

const cluster = new Cluster(tlsOf(dir));
const clusterMaster = () => cluster.masterOf('mh:{q}');
CHECKS('a cluster', cluster, clusterMaster, async (old) => {
  const id = await cluster.idOf(old);
  const replicas = await Promise.all(cluster.nodes.filter((n) => n.running).map(async (n) =>
    (await n.cli('cluster', 'nodes')).split('\n').some((l) => /myself,slave/.test(l) && l.includes(id)) ? n : null));
  await replicas.find(Boolean).cli('cluster', 'failover');
  await eventually(async () => (await clusterMaster()) !== old, 'a new master');
});
