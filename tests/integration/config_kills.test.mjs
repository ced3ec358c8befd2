// config_kills.test.mjs - an engine that is killed while an endpoint is being changed: each
// change is there afterwards or it is not, whole; what was answered is there.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { between, seed } from './lib/chance.mjs';
import { Engine } from './lib/engine.mjs';
import { Flood, idsOf } from './lib/producer.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const LATEST_MS = 6;                        // a change takes some milliseconds

const engine = new Engine(), receiver = new Receiver();
before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));
beforeEach(async () => {
  await engine.forgetWebhooks();
  receiver.reset();
});

// The answer of what `begin` asks for, or undefined where the kill at a random moment was
// faster; the engine runs again then. A Redis that is stopped meanwhile gets to see all or
// none of what the engine sent.
async function killedDuring(begin, { frozen = false } = {}) {
  const redis = engine.redisPid();
  if (frozen) process.kill(redis, 'SIGSTOP');
  const answer = begin().catch(() => undefined);
  await sleep(between(0, LATEST_MS));
  await engine.kill();
  if (frozen) process.kill(redis, 'SIGCONT');
  await engine.start();
  return answer;
}

// Rounds at random moments, the last with a Redis that answers only when the engine is dead.
async function rounds(t, count, once) {
  const outcomes = {};
  for (let n = 0; n < count; n++) {
    const outcome = await once(n, { frozen: n === count - 1 });
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  t.diagnostic(`kills=${count} ${Object.entries(outcomes).map((pair) => pair.join('=')).join(' ')} seed=${seed}`);
}

async function delivered(org) {
  receiver.reset();
  const { id } = await engine.event('alert', {}, { org_id: org });
  const [request] = await receiver.got(1, (r) => r.json.id === id);
  return request;
}

const verifies = ({ body, headers }, secret) => {
  try {
    return Boolean(new Webhook(secret).verify(body, headers));
  } catch {
    return false;
  }
};

test('a rotation of secrets: the former still holds, and a new one that was shown does', async (t) => {
  await rounds(t, 6, async (n, how) => {
    const hook = await engine.webhook(receiver.url, { org_id: `rotate${n}` });
    const answer = await killedDuring(() => engine.post(`/api/webhooks/${hook.id}/rotate-secret`), how);
    const request = await delivered(`rotate${n}`);
    assert.ok(verifies(request, hook.secret), 'the former secret, within its overlap');
    if (answer?.status === 200) assert.ok(verifies(request, answer.json.secret), 'a secret that was shown');
    const { secret } = await engine.ok(200, engine.post(`/api/webhooks/${hook.id}/rotate-secret`));
    assert.ok(verifies(await delivered(`rotate${n}`), secret), 'a rotation after that');
    const signatures = request.headers['webhook-signature'].split(' ').length;
    return answer?.status === 200 ? 'answered' : signatures === 2 ? 'done_unanswered' : 'not_done';
  });
});

test('a PATCH: all of its fields hold, or none', async (t) => {
  const former = { url: `${receiver.url}/former`, description: 'former', headers: { 'x-is': 'former' } };
  const later = { url: `${receiver.url}/later`, description: 'later', headers: { 'x-is': 'later' } };
  await rounds(t, 6, async (n, how) => {
    const { id } = await engine.webhook(former.url, { ...former, org_id: `patch${n}` });
    const answer = await killedDuring(() => engine.patch(`/api/webhooks/${id}`, later), how);
    const { url, description, headers } = await engine.ok(200, engine.get(`/api/webhooks/${id}`));
    assert.ok([former.url, later.url].includes(url), url);
    const expected = url === later.url ? later : former;
    assert.deepEqual({ url, description, headers }, { ...expected, headers: { 'x-is': '***' } });
    if (answer?.status === 200) assert.equal(url, later.url, 'what was answered');
    const request = await delivered(`patch${n}`);
    assert.deepEqual([receiver.url + request.url, request.headers['x-is']], [expected.url, expected.description]);
    return answer?.status === 200 ? 'answered' : url === later.url ? 'done_unanswered' : 'not_done';
  });
});

describe('a removal of an endpoint with a thousand waiting deliveries', () => {
  const WAITING = 1000;

  // What became of each event's delivery: its status.
  async function statuses(ids, org) {
    const all = [];
    for (let from = 0; from < ids.length; from += 50)
      all.push(...await Promise.all(ids.slice(from, from + 50).map(async (id) =>
        (await engine.ok(200, engine.get(`/api/events/${id}?org_id=${org}`))).deliveries[0].status)));
    return all;
  }

  const counted = (all) => all.reduce((sum, word) => ({ ...sum, [word]: (sum[word] ?? 0) + 1 }), {});

  // Of each status so many, when every delivery has ended. Asking for all of them takes a while:
  // so not before the queue is empty, but for claims that are just being given up.
  async function ended(ids, org) {
    await eventually(async () => await engine.metric('moonhook_deliveries_owned') === 0
      && await engine.metric('moonhook_deliveries_due') === 0, 'a queue that holds nothing', 60_000);
    return eventually(async () => {
      const words = counted(await statuses(ids, org));
      return !words.pending && !words.delivering && words;
    }, 'the end of every delivery', 60_000);
  }

  async function withWaiting(org) {
    receiver.answer = () => ({ hang: true });
    const hook = await engine.webhook(receiver.url, { org_id: org, concurrency: 1 });
    const flood = new Flood([engine], idsOf(org, WAITING), { fields: { org_id: org } });
    await flood.run();
    await receiver.got(1);
    return { hook, ids: [...flood.accepted] };
  }

  test('leaves it whole, or cancels every one', async (t) => {
    await rounds(t, 4, async (n, how) => {
      const org = `remove${n}`, { hook, ids } = await withWaiting(org);
      const answer = await killedDuring(() => engine.delete(`/api/webhooks/${hook.id}`), how);
      const gone = (await engine.get(`/api/webhooks/${hook.id}`)).status === 404;
      if (answer?.status === 200) assert.ok(gone, 'what was answered');
      const before = receiver.requests.length;
      receiver.answer = () => ({});
      assert.deepEqual(await ended(ids, org), gone ? { cancelled: WAITING } : { delivered: WAITING });
      assert.ok(!gone || receiver.requests.length === before, 'nothing is sent to what is gone');
      if (!gone) await engine.ok(200, engine.delete(`/api/webhooks/${hook.id}`));
      receiver.reset();
      return answer?.status === 200 ? 'answered' : gone ? 'done_unanswered' : 'not_done';
    });
  });

  test('that was answered cancels every one after a kill at once', async (t) => {
    const org = 'at-once', { hook, ids } = await withWaiting(org);
    await engine.ok(200, engine.delete(`/api/webhooks/${hook.id}`));
    await engine.kill();
    const killed = Date.now();
    await engine.start();
    assert.deepEqual(await ended(ids, org), { cancelled: WAITING });
    t.diagnostic(`cancelled=${WAITING} ms=${Date.now() - killed}`);
  });
});
