// redis_commands.test.mjs - Q4: what an event and a delivery cost Redis, counted by Redis
// itself: INFO commandstats knows every command, also those inside scripts. What an engine
// says by the clock (its heartbeat, its look at the configuration) is counted apart.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';

const MOST_PER_EVENT = 2, MOST_PER_DELIVERY = 3;
const OURS = /^cmdstat_(info|config|ping|auth|select|hello)/;

const redis = new Redis();
const receiver = new Receiver();
let engine;
before(async () => {
  await Promise.all([redis.start(), receiver.start()]);
  engine = await new Engine({ flags: ['--redis', redis.url] }).start();
});
after(async () => {
  await engine?.stop();
  await Promise.all([redis.kill(), receiver.stop()]);
});

// Commands since the last count, without those that the counting needs and those that come
// by the clock: only tick.lua has ZCARD (two of its ten commands), and only look.lua has
// ZREVRANGE (one of its four).
async function count() {
  const lines = (await redis.cli('info', 'commandstats')).split('\n');
  await redis.cli('config', 'resetstat');
  const calls = new Map(lines.filter((line) => line.startsWith('cmdstat_') && !OURS.test(line))
    .map((line) => [line.match(/cmdstat_([^:]*)/)[1], Number(line.match(/calls=(\d+)/)[1])]));
  const all = [...calls.values()].reduce((sum, n) => sum + n, 0);
  return all - 5 * (calls.get('zcard') ?? 0) - 4 * (calls.get('zrevrange') ?? 0);
}

async function acceptBatch(events) {
  const body = JSON.stringify(Array.from({ length: events }, (_, n) => ({ event: 'alert', data: { n } })));
  const { items } = await engine.ok(200, engine.send('POST', '/api/events/batch', { body }));
  assert.ok(items.every((item) => item.id), 'all were accepted');
}

for (const [fanout, events] of [[1, 400], [10, 200], [100, 50]])
  test(`a fan-out of ${fanout} costs at most ${MOST_PER_EVENT} commands per event and `
    + `${MOST_PER_DELIVERY} per delivery`, async (t) => {
    let open;
    const gate = new Promise((resolve) => { open = resolve; });
    receiver.reset();
    receiver.answer = () => gate.then(() => ({}));
    await engine.forgetWebhooks();
    for (let n = 0; n < fanout; n++) await engine.webhook(`${receiver.url}/${n}`);

    await count();
    await acceptBatch(events);
    const perEvent = await count() / events;
    open();
    await receiver.got(events * fanout);
    await engine.idle();
    const perDelivery = await count() / (events * fanout);
    t.diagnostic(`fanout=${fanout} events=${events} commands_per_event=${perEvent.toFixed(2)} `
      + `commands_per_delivery=${perDelivery.toFixed(2)}`);
    assert.ok(perEvent <= MOST_PER_EVENT, `${perEvent} commands per event`);
    assert.ok(perDelivery <= MOST_PER_DELIVERY, `${perDelivery} commands per delivery`);
  });
