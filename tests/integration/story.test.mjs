// story.test.mjs - Q7: an event tells who got it, how each attempt went, who did not get it
// and why.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runAt } from './lib/cli.mjs';
import { Engine } from './lib/engine.mjs';
import { PluginFolder } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const engine = new Engine({ flags: ['--retry-schedule', '0s,1h'] });
const receiver = new Receiver();
before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));

async function story(id, org) {
  return engine.ok(200, engine.get(`/api/events/${id}?org_id=${org}`));
}

const withAttempts = (id, org) => eventually(async () => {
  const told = await story(id, org);
  return told.deliveries.every((d) => d.attempts.length > 0) && told;
}, 'the story of the attempts');

test('an attempt tells the headers that were sent, without what is secret', async () => {
  await engine.webhook(receiver.url, { org_id: 'heads', headers: { 'X-Api-Key': 'hush-42' } });
  const { id } = await engine.event('alert', {}, { org_id: 'heads' });
  const { deliveries: [{ attempts: [{ request, response, timing }] }] } = await withAttempts(id, 'heads');
  const [sent] = receiver.requests;
  assert.equal(sent.headers['x-api-key'], 'hush-42');
  for (const name of ['Content-Type', 'User-Agent', 'X-Mission-Control-Event', 'webhook-id', 'webhook-timestamp'])
    assert.equal(request.headers[name], sent.headers[name.toLowerCase()], name);
  for (const name of ['X-Mission-Control-Signature', 'webhook-signature', 'X-Api-Key'])
    assert.equal(request.headers[name], '***', name);
  assert.match(response.headers, /^date: /im);
  assert.deepEqual(Object.keys(timing), ['dns_ms', 'connect_ms', 'tls_ms', 'first_byte_ms', 'total_ms']);
  const whole = JSON.stringify(await story(id, 'heads'));
  for (const secret of ['hush-42', sent.headers['webhook-signature'], sent.headers['x-mission-control-signature']])
    assert.ok(!whole.includes(secret));
});

test('an event tells who did not get it, and why', async () => {
  const org_id = 'whys';
  const off = await engine.webhook(receiver.url, { org_id, active: false });
  const other = await engine.webhook(receiver.url, { org_id, events: ['error'] });
  const picky = await engine.webhook(receiver.url, { org_id, filter: [{ pointer: '/data/severity', op: 'eq', value: 'critical' }] });
  const taker = await engine.webhook(receiver.url, { org_id });
  await engine.webhook(receiver.url, { org_id: 'elsewhere' });
  const plugin = new PluginFolder('slaonly', 'permissions = { "sla:read" }, on_sla_breach = function() end');
  assert.equal((await plugin.install(engine)).status, 200);
  const { id } = await engine.event('alert', { severity: 'info' }, { org_id });
  const late = await engine.webhook(receiver.url, { org_id });
  const told = await story(id, org_id);
  assert.deepEqual(told.deliveries.map((d) => d.target.id), [taker.id]);
  const why = new Map(told.not_delivered.map((n) => [n.target.id, n.why]));
  assert.deepEqual([...why.keys()].sort(), [off.id, other.id, picky.id, late.id, 'slaonly'].sort());
  assert.equal(why.get(off.id), 'the endpoint is not active');
  assert.match(why.get(other.id), /patterns matches the type "alert"/);
  assert.match(why.get(picky.id), /severity is "info"/);
  assert.match(why.get(late.id), /did not when this one came/);
  assert.match(why.get('slaonly'), /no hook on_alert/);
  await engine.ok(200, engine.delete('/api/plugins/slaonly'));
});

test('moonhook event show tells all of it', async () => {
  const off = await engine.webhook(receiver.url, { org_id: 'default', active: false });
  receiver.answer = () => ({ status: 500, headers: { 'x-why': 'broken' }, body: 'out of order' });
  await engine.webhook(receiver.url, { org_id: 'default' });
  const { id } = await engine.event('alert', {});
  await withAttempts(id, 'default');
  const { out } = await runAt(engine, ['event', 'show', id]);
  for (const said of [/request +POST http:/, /webhook-signature: \*\*\*/, /response +500/, /x-why: broken/i, /out of order/,
    /timing +(dns [\d.]+ ms, )?(connect [\d.]+ ms, )?first byte [\d.]+ ms, total [\d.]+ ms/,
    /next attempt at 20/, new RegExp(`not delivered[^]*webhook ${off.id}: the endpoint is not active`)])
    assert.match(out, said);
});
