// replay_kills.test.mjs - a replay whose engine is killed at random moments, again and again,
// neither skips an event nor takes one twice (I9).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { between, seed } from './lib/chance.mjs';
import { Engine } from './lib/engine.mjs';
import { Ledger } from './lib/ledger.mjs';
import { Flood, idsOf } from './lib/producer.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { REPEATED_MOST } from './lib/scene.mjs';
import { eventually } from './lib/wait.mjs';

describe('a replay whose engine is killed again and again', () => {
  const EVENTS = 3000, AT_ONCE = 4, ENDS_MS = 60_000;
  const FAST = ['--retry-schedule', '0s,20ms'];
  const ORG = 'often';
  const receiver = new Receiver();
  before(async () => {
    await receiver.start();
    receiver.keep = false;
  });
  after(() => receiver.stop());

  const replay = (engine, id, spec) => engine.ok(202, engine.post(`/api/webhooks/${id}/replay`,
    { since: new Date(Date.now() - 3_600_000).toISOString(), only: 'missing', ...spec }));
  const job = (engine, { id }) => engine.ok(200, engine.get(`/api/replays/${id}`));
  const finished = (engine, begun) => eventually(async () => {
    const now = await job(engine, begun);
    return now.status !== 'running' && now;
  }, 'the end of the replay', ENDS_MS);

  // Every record of the endpoint's deliveries.
  async function records(engine, id) {
    const all = [];
    for (let cursor = ''; cursor !== null;) {
      const page = await engine.ok(200, engine.get(`/api/webhooks/${id}/deliveries?limit=200${cursor}`));
      all.push(...page.items);
      cursor = page.next === null ? null : `&cursor=${encodeURIComponent(page.next)}`;
    }
    return all;
  }

  // One after the other at random moments, each time whoever owns the job by then.
  async function killOwners(engine, begun, kills, killOwner) {
    for (let n = 0; n < kills; n++) {
      const moment = between(n * EVENTS / (kills + 1), (n + 1) * EVENTS / (kills + 1));
      await eventually(async () => (await job(engine(), begun)).enqueued > moment, `${moment} enqueued`, ENDS_MS);
      await killOwner(begun.id);
    }
  }

  // `engine()`: one that lives. What was enqueued twice would have two attempts on record; a
  // repeat by a crash has one, since the other's record was lost with its engine.
  async function killedOften(t, engine, kills, killOwner) {
    const ledger = new Ledger();
    receiver.answer = (request) => ledger.take(request);
    const ids = await new Flood([engine()], idsOf('own', EVENTS), { fields: { org_id: ORG } }).run();
    const { id } = await engine().webhook(receiver.url, { org_id: ORG, concurrency: AT_ONCE });
    const dry = await finished(engine(), await replay(engine(), id, { dry_run: true }));
    const begun = await replay(engine(), id, { rate: 2000 });
    await killOwners(engine, begun, kills, killOwner);
    const ended = await finished(engine(), begun);
    await ledger.atLeast(EVENTS, ENDS_MS).catch(() => {});
    t.diagnostic(`events=${EVENTS} kills=${kills} dry_run=${dry.enqueued} enqueued=${ended.enqueued} `
      + `arrived=${ledger.size} repeats=${ledger.repeats} changed=${ledger.strangers} seed=${seed}`);
    assert.deepEqual([dry.enqueued, ended.status, ended.looked, ended.enqueued], [EVENTS, 'done', EVENTS, EVENTS]);
    assert.deepEqual(ledger.missing(ids), []);
    assert.ok(ledger.repeats <= kills * REPEATED_MOST, `${ledger.repeats} repeats`);
    const attempts = () => records(engine(), id).then((all) => all.map((d) => d.attempts.length));
    await eventually(async () => (await attempts()).length === EVENTS, 'every record');
    assert.deepEqual((await attempts()).filter((n) => n !== 1), [], 'enqueued twice');
  }

  test('enqueues each event once, in an engine alone', async (t) => {
    const engine = await new Engine({ flags: FAST }).start();
    await killedOften(t, () => engine, 6, async () => {
      await engine.kill();
      await engine.start();
    });
    await engine.stop();
  });

  test('enqueues each event once, in two engines that take it from each other', async (t) => {
    const redis = await new Redis().start();
    const shared = { flags: [...FAST, '--redis', redis.url], env: { MOONHOOK_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') } };
    const engines = [await new Engine(shared).start(), await new Engine(shared).start()];
    const isOf = (engine, name) => engine.lines.some((l) => l.includes(`event=queue_joined engine=${name}`));
    const owner = (id) => eventually(async () => {
      const name = await redis.cli('hget', `mh:{q}:replay:${id}`, 'owner');
      return name && engines.find((engine) => isOf(engine, name));
    }, 'the owner of the replay');
    let alive = engines[0];
    await killedOften(t, () => alive, 3, async (id) => {
      const victim = await owner(id);
      alive = engines.find((engine) => engine !== victim);
      await victim.kill();
      await victim.start();
    });
    await Promise.all(engines.map((engine) => engine.stop()));
    await redis.kill();
  });
});
