// ssrf.test.mjs - the corpus of hostile spellings (data/ssrf.json) against the real engine:
// each is refused when an endpoint is made, or its delivery ends `blocked`; who listens on this
// machine hears of none. Plugins go through the same two checks.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { eventually } from './lib/wait.mjs';

const corpus = JSON.parse(readFileSync(new URL('data/ssrf.json', import.meta.url)));

const visitors = [];
const listener = createServer((socket) => {
  visitors.push(socket.remoteAddress);
  socket.on('error', () => {}).destroy();
}).unref();

before(async () => {
  listener.listen(0, '::');                 // IPv4 as well
  await once(listener, 'listening');
});
after(() => listener.close());

const filledIn = (url) => url.replaceAll('PORT', listener.address().port).replaceAll('HOSTNAME', hostname());

describe('an engine that may not dial private addresses', () => {
  const engine = new Engine({ loopback: false, flags: ['--retry-schedule', '0s'] });
  before(() => engine.start());
  after(() => engine.stop());

  let types = 0;
  async function endOf(url) {
    const type = `row.${types++}`;
    const { id } = await engine.webhook(url, { events: [type] });
    const event = await engine.event(type);
    const delivery = await eventually(async () => {
      const { deliveries: [d] } = await engine.ok(200, engine.get(`/api/events/${event.id}`));
      return ['delivered', 'dead'].includes(d.status) && d;
    }, `the end of a delivery to ${url}`);
    await engine.ok(200, engine.delete(`/api/webhooks/${id}`));
    return delivery.attempts[0];
  }

  for (const [kind, { refused = [], blocked = [] }] of Object.entries(corpus)) {
    if (refused.length > 0)
      test(`takes no URL with ${kind}`, async () => {
        for (const url of refused.map(filledIn)) {
          const got = await engine.post('/api/webhooks', { url });
          assert.equal(got.status, 422, `${JSON.stringify(url)}: ${got.text}`);
          assert.deepEqual(got.json.errors.map((e) => e.pointer), ['/url']);
        }
      });
    if (blocked.length > 0)
      test(`dials none of: ${kind}`, async () => {
        await Promise.all(blocked.map(filledIn).map(async (url) => {
          const attempt = await endOf(url);
          assert.equal(attempt.error?.code, 'blocked', `${url}: ${JSON.stringify(attempt)}`);
          assert.equal(attempt.address, undefined);
        }));
        assert.deepEqual(visitors, []);
      });
  }
});

// The same listener, and an operator who allows one address of it.
describe('an engine that may dial ::1 alone', () => {
  const engine = new Engine({ loopback: false, flags: ['--retry-schedule', '0s', '--allow-private', '::1/128'] });
  before(() => engine.start());
  after(() => engine.stop());

  test('does so, and dials no other', async () => {
    const urls = ['http://[::1]:PORT/', 'http://127.0.0.1:PORT/', 'http://[::ffff:127.0.0.1]:PORT/'];
    for (const [n, url] of urls.entries()) {
      await engine.webhook(filledIn(url), { events: [`one.${n}`] });
      const event = await engine.event(`one.${n}`);
      const code = await eventually(async () => (await engine.get(`/api/events/${event.id}`))
        .json.deliveries[0].attempts[0]?.error.code, 'an attempt');
      assert.equal(code, n === 0 ? 'protocol' : 'blocked');
    }
    assert.ok(visitors.length > 0 && visitors.every((a) => a === '::1'), String(visitors));
  });
});
