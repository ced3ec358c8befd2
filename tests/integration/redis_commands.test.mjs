// redis_commands.test.mjs - Q4: what an event and a delivery cost Redis, counted by Redis
// itself: INFO commandstats knows every command, also those inside scripts. What an engine
// says by the clock (its heartbeat, its look at the configuration) is counted apart.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';
import { orgsOf } from './lib/shards.mjs';
import { eventually } from './lib/wait.mjs';

const MOST_PER_EVENT = 2, MOST_PER_DELIVERY = 3;
const OURS = /^cmdstat_(info|config|ping|auth|select|hello)/;

const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

for (const shards of [1, 4])
  describe(shards === 1 ? 'an only shard' : `of ${shards} shards each`, () => {
    const redis = new Redis();
    let engine;
    before(async () => {
      await redis.start();
      engine = await new Engine({ flags: ['--redis', redis.url, '--queue-shards', `${shards}`] }).start();
    });
    after(async () => {
      await engine?.stop();
      await redis.kill();
    });

    // Commands since the last count, without those that the counting needs and those that come
    // by the clock, of every shard: tick.lua has ZCARD three times among its eleven commands; only
    // trim.lua has INFO (and seven others), and for each org HGET and ZCARD among its five; only
    // look.lua has ZREVRANGE (one of its four); only replay_take.lua has HKEYS (one of three).
    async function count() {
      const lines = (await redis.cli('info', 'commandstats')).split('\n').filter((l) => l.startsWith('cmdstat_'));
      await redis.cli('config', 'resetstat');
      const calls = new Map(lines.map((line) => [line.match(/cmdstat_([^:]*)/)[1], Number(line.match(/calls=(\d+)/)[1])]));
      const of = (name) => calls.get(name) ?? 0;
      const all = [...calls].reduce((sum, [name, n]) => sum + (OURS.test(`cmdstat_${name}`) ? 0 : n), 0);
      const ticks = (of('zcard') - of('hget')) / 3;
      return all - 11 * ticks - 7 * of('info') - 5 * of('hget') - 4 * of('zrevrange') - 3 * of('hkeys');
    }

    async function acceptBatch(org_id, events) {
      const body = JSON.stringify(Array.from({ length: events }, (_, n) => ({ event: 'alert', org_id, data: { n } })));
      const { items } = await engine.ok(200, engine.send('POST', '/api/events/batch', { body }));
      assert.ok(items.every((item) => item.id), 'all were accepted');
    }

    for (const [n, org_id] of orgsOf(shards).entries())
      for (const [fanout, events] of shards === 1 ? [[1, 400], [10, 200], [100, 50]] : [[1, 200], [10, 100], [100, 40]])
        test(`in shard ${n}, a fan-out of ${fanout} costs at most ${MOST_PER_EVENT} commands per event and `
          + `${MOST_PER_DELIVERY} per delivery`, async (t) => {
          let open;
          const gate = new Promise((resolve) => { open = resolve; });
          receiver.reset();
          receiver.answer = () => gate.then(() => ({}));
          await engine.forgetWebhooks();
          await eventually(async () => await engine.metric('moonhook_deliveries_pending') === 0, 'an empty queue');
          for (let i = 0; i < fanout; i++) await engine.webhook(`${receiver.url}/${i}`, { org_id });

          await count();
          await acceptBatch(org_id, events);
          const perEvent = await count() / events;
          open();
          await receiver.got(events * fanout);
          await engine.idle();
          const perDelivery = await count() / (events * fanout);
          t.diagnostic(`shard=${n} of ${shards} fanout=${fanout} events=${events} `
            + `commands_per_event=${perEvent.toFixed(2)} commands_per_delivery=${perDelivery.toFixed(2)}`);
          assert.ok(perEvent <= MOST_PER_EVENT, `${perEvent} commands per event`);
          assert.ok(perDelivery <= MOST_PER_DELIVERY, `${perDelivery} commands per delivery`);
        });
  });
