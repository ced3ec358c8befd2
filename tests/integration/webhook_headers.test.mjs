// webhook_headers.test.mjs - an endpoint's own headers may hold passwords: they are sent as they were
// given, and are otherwise nowhere but sealed; and what a receiver echoes of them, or of the signing
// secret, is masked in the story.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { filesBelow, opens, redisCli, redisValues } from './lib/disk.mjs';
import { assertProblem, Engine, folder } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';

const engine = new Engine({ flags: ['--retry-schedule', '0s'] });
const receiver = new Receiver();

before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));
beforeEach(async () => {
  await engine.forgetWebhooks();
  receiver.reset();
});

const password = () => randomBytes(15).toString('base64url');
const keyOf = (one) => readFileSync(join(one.data, 'master.key'), 'utf8').trim();
const stored = async (one, id) => JSON.parse(await redisCli(one, ['--raw', 'HGET', 'mh:{c}:webhooks', id]));
const sealedHeaders = async (one, id) => (await stored(one, id)).endpoint.headers;

// The headers of the next message at the receiver.
async function sent(one = engine) {
  receiver.reset();
  await one.event('alert', { title: 'x' });
  return (await receiver.got(1))[0].headers;
}

async function storyOf(event) {
  await engine.idle();
  return (await engine.get(`/api/events/${event}`)).text;
}

describe('the headers of an endpoint', () => {
  test('are sent as they were given and shown by their names', async () => {
    const secret = password(), headers = { Authorization: `Bearer ${secret}`, 'X-Team': 'operations-7' };
    const masked = { Authorization: '***', 'X-Team': '***' };
    const made = await engine.webhook(receiver.url, { headers });
    assert.deepEqual(made.headers, masked);
    const { id: event } = await engine.event('alert', { title: 'x' });
    const [got] = await receiver.got(1);
    assert.deepEqual([got.headers.authorization, got.headers['x-team']], [`Bearer ${secret}`, 'operations-7']);
    const answers = [await engine.get(`/api/webhooks/${made.id}`), await engine.get('/api/webhooks'),
      await engine.patch(`/api/webhooks/${made.id}`, { description: 'd' }),
      await engine.post(`/api/webhooks/${made.id}/rotate-secret`),
      await engine.get(`/api/webhooks/${made.id}/deliveries`)];
    answers.push({ text: await storyOf(event) });
    assert.deepEqual(answers[0].json.headers, masked);
    for (const { text } of answers)
      for (const value of [secret, 'operations-7']) assert.ok(!text.includes(value), text);
    for (const [where, bytes] of [...filesBelow(engine.data), ...await redisValues(engine)])
      for (const value of [secret, 'operations-7']) assert.ok(!bytes.includes(value), `${value} in ${where}`);
    assert.ok(!engine.lines.some((line) => line.includes(secret)), 'a password is in the log');
  });

  test('keep the values that a change sends back masked', async () => {
    const { id } = await engine.webhook(receiver.url, { headers: { 'X-Key': 'the-first-one', 'X-Old': 'a-b-c' } });
    const changed = await engine.ok(200, engine.patch(`/api/webhooks/${id}`,
      { headers: { 'X-Key': '***', 'X-New': 'another-one' } }));
    assert.deepEqual(changed.headers, { 'X-Key': '***', 'X-New': '***' });
    const got = await sent();
    assert.deepEqual([got['x-key'], got['x-new'], got['x-old']], ['the-first-one', 'another-one', undefined]);
  });

  test('cannot be made of a mask', async () => {
    const { id } = await engine.webhook(receiver.url);
    const got = await engine.patch(`/api/webhooks/${id}`, { headers: { 'X-Key': '***' } });
    assertProblem(got, 422);
    assert.equal(got.json.errors[0].pointer, '/headers/X-Key');
    assertProblem(await engine.post('/api/webhooks', { url: receiver.url, headers: { A: '***' } }), 422);
  });

  test('survive a restart, and a change of the master key', async () => {
    const { id } = await engine.webhook(receiver.url, { headers: { 'X-Key': 'kept-over-all' } });
    const former = keyOf(engine), before = await sealedHeaders(engine, id);
    assert.deepEqual(JSON.parse(opens(before, former, `${id}:headers`)), { 'X-Key': 'kept-over-all' });
    await engine.ok(200, engine.post('/api/keys/rotate-master'));
    const now = await sealedHeaders(engine, id);
    assert.equal(opens(now, former, `${id}:headers`), null);
    assert.deepEqual(JSON.parse(opens(now, keyOf(engine), `${id}:headers`)), { 'X-Key': 'kept-over-all' });
    assert.equal((await sent())['x-key'], 'kept-over-all');
    await engine.stop();
    await engine.start();
    assert.equal((await sent())['x-key'], 'kept-over-all');
  });
});

describe('headers that were stored before they were sealed', () => {
  // As an earlier version left it: the object itself.
  async function unseal(one, id) {
    const record = await stored(one, id);
    record.endpoint.headers = { 'X-Key': 'from-earlier-days' };
    await redisCli(one, ['-x', 'HSET', 'mh:{c}:webhooks', id], JSON.stringify(record));
  }

  test('are sealed at the next start, and sent', async () => {
    const one = new Engine({ data: folder() });
    await one.start();
    const { id } = await one.webhook(receiver.url, { headers: { 'X-Key': 'x' } });
    await unseal(one, id);
    await one.stop();
    await one.start();
    await one.logged(/event=webhook_headers_sealed webhooks=1/);
    const sealed = await sealedHeaders(one, id);
    assert.deepEqual(JSON.parse(opens(sealed, keyOf(one), `${id}:headers`)), { 'X-Key': 'from-earlier-days' });
    assert.equal((await sent(one))['x-key'], 'from-earlier-days');
    await one.stop();
    await one.start();
    assert.equal(await sealedHeaders(one, id), sealed, 'and not again');
    await one.stop();
  });
});

describe('what a receiver echoes', () => {
  test('of the signing secret and of the headers is masked in the story', async () => {
    const key = password();
    const { secret } = await engine.webhook(receiver.url, { headers: { Authorization: `Bearer ${key}` } });
    receiver.answer = (request) => ({ status: 401,
      headers: { 'x-got': request.headers.authorization, 'x-want': secret },
      body: `{"error":"bad signature","headers":${JSON.stringify(request.headers)},"secret":"${secret}",`
        + `"hex":"${Buffer.from(key).toString('hex')}"}` });
    const { id: event } = await engine.event('alert', { title: 'x' });
    await receiver.got(1);
    const text = await storyOf(event);
    assert.match(text, /bad signature/);
    assert.match(text, /Bearer \*\*\*/);
    for (const trace of [key, secret.slice('whsec_'.length, -1), Buffer.from(key).toString('hex')])
      assert.ok(!text.includes(trace), text);
  });

  test('of a header that was changed meanwhile is masked as well', async () => {
    const { id } = await engine.webhook(receiver.url, { headers: { 'X-Key': 'the-former-value' } });
    let answer;
    receiver.answer = (request) => new Promise((resolve) => {
      answer = () => resolve({ status: 400, body: `you sent ${request.headers['x-key']}` });
    });
    const { id: event } = await engine.event('alert', { title: 'x' });
    await receiver.got(1);
    await engine.ok(200, engine.patch(`/api/webhooks/${id}`, { headers: { 'X-Key': 'the-latter-value' } }));
    answer();
    const text = await storyOf(event);
    assert.match(text, /you sent \*\*\*/);
  });
});
