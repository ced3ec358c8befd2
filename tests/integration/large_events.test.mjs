// large_events.test.mjs - what waits in memory is bounded by its bytes (I6, Q6): thousands of
// large events to an endpoint that hangs cost the engine no more than it was given for them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Redis } from './lib/redis.mjs';

const EVENTS = Number(process.env.MH_LARGE_EVENTS ?? 300), EVENT_BYTES = 900_000, LINES = 4;
const HELD_MB = 32;
// Besides: the program under its sanitizer, what is on its way in and out (batches, requests,
// answers of Redis), and what the allocator keeps.
const BESIDES_MB = 100;

const redis = new Redis(['--appendonly', 'no']);
const receiver = new Receiver();
const engine = new Engine({
  flags: ['--max-owned-bytes', `${HELD_MB}m`, '--webhook-timeout', '120s', '--webhook-concurrency', '32',
          '--retry-schedule', '0s'],
  env: { ASAN_OPTIONS: 'quarantine_size_mb=1' },        // else what was freed counts as used
});
before(async () => {
  await Promise.all([receiver.start(), redis.start()]);
  engine.flags.push('--redis', redis.url);
  await engine.start();
});
after(async () => {
  await engine.stop();
  await Promise.all([receiver.stop(), redis.kill()]);
});

const memoryMb = (field) =>
  Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${engine.pid}/status`, 'utf8'))[1]) / 1024;

async function send(lines, events, org) {
  const text = 'x'.repeat(EVENT_BYTES);
  let n = 0;
  await Promise.all(Array.from({ length: lines }, async () => {
    while (n < events) {
      const id = `${org}-${n++}`;
      for (;;) {
        const body = JSON.stringify({ event: 'alert', id, org_id: org, data: { text } });
        const { status } = await engine.send('POST', '/api/events', { body });
        if (status === 202) break;
        assert.ok(status === 429 || status === 503, `${status}`);
      }
    }
  }));
}

test('thousands of large events to an endpoint that hangs cost bounded memory, and arrive when it wakes', async (t) => {
  const idle_mb = memoryMb('VmRSS');
  const held = [];
  let hanging = true;
  receiver.answer = (r) => {
    r.body = r.json = undefined;            // else they are the test's own memory
    return hanging && r.url === '/hangs' ? new Promise((resolve) => held.push(resolve)) : {};
  };
  await engine.webhook(`${receiver.url}/hangs`, { org_id: 'acme' });
  await engine.webhook(`${receiver.url}/other`, { org_id: 'globex' });
  const began = Date.now();
  await send(LINES, EVENTS, 'acme');
  t.diagnostic(`${EVENTS} events of ${EVENT_BYTES} bytes accepted in ${Date.now() - began} ms`);
  await send(1, 20, 'globex');              // whom the other's trouble does not concern
  await receiver.got(20, (r) => r.url === '/other');
  const rss_mb = memoryMb('VmHWM') - idle_mb;
  hanging = false;
  for (const answer of held) answer({});
  const arrived = await receiver.until((all) => {
    const ids = new Set(all.filter((r) => r.url === '/hangs').map((r) => r.headers['webhook-id']));
    return ids.size === EVENTS && ids;
  }, 'all events at the endpoint that woke up', 100_000);
  const peak_mb = memoryMb('VmHWM') - idle_mb;
  t.diagnostic(`engine: ${idle_mb.toFixed(0)} MB idle, at most ${rss_mb.toFixed(0)} MB more while the endpoint `
    + `hung, ${peak_mb.toFixed(0)} MB more in all; --max-owned-bytes ${HELD_MB}m, ${arrived.size} arrived `
    + `${Date.now() - began} ms after the first was sent`);
  assert.ok(peak_mb < HELD_MB + BESIDES_MB, `${peak_mb} MB`);
});
