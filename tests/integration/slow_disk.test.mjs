// slow_disk.test.mjs - large events on a disk that is slow are accepted as fast as it takes
// them, and a Redis that waits for its disk is not taken for one that is gone (Q5).
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { build, Engine } from './lib/engine.mjs';
import { Redis } from './lib/redis.mjs';

const EVENTS = 6, EVENT_BYTES = 900_000, KB_PER_S = 400;
const PATIENT_MS = 100_000;

const redis = new Redis([], { LD_PRELOAD: resolve(build, 'slow_disk.so'), SLOW_DISK_KB_PER_S: String(KB_PER_S) });
let engine;
before(async () => {
  await redis.start();
  engine = await new Engine({ flags: ['--redis', redis.url] }).start();
});
after(async () => {
  await engine?.stop();
  await redis.kill();
});

test('large events that come at once are all accepted, and Redis is never lost', async (t) => {
  const body = JSON.stringify({ event: 'alert', data: { text: 'x'.repeat(EVENT_BYTES) } });
  const began = Date.now();
  const answers = await Promise.all(Array.from({ length: EVENTS }, () =>
    engine.send('POST', '/api/events', { body, ms: PATIENT_MS })));
  t.diagnostic(`${EVENTS} events of ${EVENT_BYTES} bytes at ${KB_PER_S} KB/s took ${Date.now() - began} ms`);
  assert.deepEqual(answers.map((a) => a.status), Array(EVENTS).fill(202));
  assert.deepEqual(engine.lines.filter((line) => /redis_down|redis_lost/.test(line)), []);
});
