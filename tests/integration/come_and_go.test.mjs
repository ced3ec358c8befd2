// come_and_go.test.mjs - several engines on one Redis under load: without a crash no event is
// done twice, however they come and go (I2).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Redis } from './lib/redis.mjs';
import { Scene } from './lib/scene.mjs';

const redis = new Redis();
before(() => redis.start());
after(() => redis.kill());

const secondsSince = (ms) => ((Date.now() - ms) / 1000).toFixed(1);

describe('engines that come and go in order', () => {
  const CHANGES = 6;
  const cases = [['two engines', 2, 20_000, []], ['three engines', 3, 10_000, []],
    ['two engines of three workers', 2, 20_000, ['--workers', '3']]];
  for (const [what, count, events, flags] of cases)
    test(`${what}: no event is done twice`, async (t) => {
      const scene = await new Scene(redis, flags).start(count);
      const flood = scene.flood(events), began = Date.now();
      for (let n = 1; n <= CHANGES; n++) {
        await scene.atLeast(n * events / (CHANGES + 2));
        await scene.join();
        await scene.leave().stop();
      }
      await scene.arrived(flood);
      t.diagnostic(`events=${events} engines=${count} ${flags.join(' ')} joined=${count + CHANGES} left=${CHANGES} `
        + `repeats=${scene.ledger.repeats} seconds=${secondsSince(began)}`);
      assert.equal(scene.ledger.repeats, 0, 'an event was done twice');
      await scene.stop();
    });
});
