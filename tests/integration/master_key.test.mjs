// master_key.test.mjs - changing the master key: nothing stored stays under the former one,
// no secret is lost, and a kill at any moment leaves what it takes to go on.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { filesBelow, opens, redisCli } from './lib/disk.mjs';
import { run } from './lib/cli.mjs';
import { assertProblem, Engine, folder } from './lib/engine.mjs';
import { answerAsSlack, PluginFolder, resultOf } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const ROTATE = '/api/keys/rotate-master';
const receiver = new Receiver();
const newKey = () => randomBytes(32).toString('base64');
const path = `/services/${randomBytes(24).toString('base64url')}`;

before(() => receiver.start());
after(() => receiver.stop());
const answer = (request) => request.url === path ? answerAsSlack(request) : {};
beforeEach(() => { receiver.reset(); receiver.answer = answer; });

const keyFile = (engine) => join(engine.data, 'master.key');
const keysOf = (engine) => readFileSync(keyFile(engine), 'utf8').trim().split('\n');

// One webhook and the slack plugin, each with a secret.
async function furnish(engine) {
  const hook = await engine.webhook(`${receiver.url}/services/hook`, { events: ['thread_created'] });
  await engine.ok(200, engine.post('/api/plugins/install',
    { source: 'slack', config: { webhook_url: receiver.url + path } }));
  return hook;
}

async function sealedTexts(engine, hook) {
  const read = async (kind, id) => JSON.parse(await redisCli(engine, ['--raw', 'HGET', `mh:{c}:${kind}`, id]));
  return [[(await read('webhooks', hook.id)).secret, hook.id],
    [(await read('plugins', 'slack')).config.webhook_url, 'plugin:slack:webhook_url']];
}

// Both secrets do what they are for.
async function assertWorking(engine, hook) {
  receiver.reset();
  receiver.answer = answer;
  const row = await resultOf(engine, 'slack', 'alert', { title: 'x', severity: 'info' });
  assert.equal(row.status, 'delivered', JSON.stringify(row));
  await receiver.got(1, (r) => r.url === path);
  await engine.event('thread_created', { n: 1 });
  const [{ body, headers }] = await receiver.got(1, (r) => r.url === '/services/hook');
  assert.equal(headers['x-mission-control-signature'],
               createHmac('sha256', hook.secret).update(body).digest('hex'));
}

async function assertSealedUnder(engine, hook, key, otherKey) {
  for (const [sealed, about] of await sealedTexts(engine, hook)) {
    assert.ok(opens(sealed, key, about), `${about} opens under the new key`);
    assert.equal(opens(sealed, otherKey, about), null, `${about} does not open under the former key`);
  }
}

// Redis compresses its files, but not what is random: some stretch of a sealed text that
// is there at all is there as it is.
function isOnDisk(engine, sealed) {
  const disk = Buffer.concat(filesBelow(engine.data).map(([, bytes]) => bytes)).toString('latin1');
  for (let at = 4; at + 10 <= sealed.length; at++)
    if (disk.includes(sealed.slice(at, at + 10))) return true;
  return false;
}

describe('changing the master key', () => {
  const engine = new Engine();
  let hook, former, sealed;

  before(async () => {
    await engine.start();
    hook = await furnish(engine);
    [former] = keysOf(engine);
    sealed = (await sealedTexts(engine, hook)).map(([text]) => text);
    for (const text of sealed) assert.ok(isOnDisk(engine, text), 'the search finds what is there');
  });
  after(() => engine.stop());

  test('answers how many secrets are under the new one', async () => {
    assert.deepEqual(await engine.ok(200, engine.post(ROTATE)), { rotated: true, secrets: 2 });
    await assertSealedUnder(engine, hook, keysOf(engine)[0], former);
  });

  test('leaves one new key in a file that only its owner reads', () => {
    assert.equal(keysOf(engine).length, 1);
    assert.notEqual(keysOf(engine)[0], former);
    assert.equal(statSync(keyFile(engine)).mode & 0o777, 0o600);
    assert.ok(!existsSync(`${keyFile(engine)}.new`));
  });

  test('leaves the secrets what they were', () => assertWorking(engine, hook));

  test('leaves neither the former key nor anything under it on the disk', async () => {
    for (const [file, bytes] of filesBelow(engine.data))
      assert.ok(!bytes.includes(former), `the former key is in ${file}`);
    await eventually(() => sealed.every((text) => !isOnDisk(engine, text)),
                     'a disk without the former seals');
  });

  test('makes a copy of the former key worthless', async () => {
    await engine.stop();
    const thief = new Engine({ data: folder() });
    cpSync(engine.data, thief.data, { recursive: true });
    writeFileSync(keyFile(thief), `${former}\n`);
    await thief.start();
    await thief.logged(/event=webhook_not_loaded/);
    await thief.logged(/event=plugin_not_loaded plugin=slack/);
    await thief.stop();
    await engine.start();
    await assertWorking(engine, hook);
  });

  test('is for the admin key only', async () => {
    const scopes = ['keys:write', 'plugins:write', 'webhooks:write'];
    const { key } = await engine.ok(201, engine.post('/api/keys', { scopes }));
    assertProblem(await engine.client(key).post(ROTATE), 403);
  });

  test('is a command', async () => {
    const { out } = await run(['key', 'rotate-master', '--url', engine.url, '--data', engine.data]);
    assert.equal(out, 'rotated: 2 secrets are under the new master key\n');
  });

  test('reaches the secret of a version to go back to, and leaves what only looks sealed', async () => {
    const lua = (word) => `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      config = { plain = { type = "string" }, token = { type = "string", secret = true } },
      on_alert = function(_, ctx)
        require "moonhook.http".get("${receiver.url}/${word}", { headers = { token = ctx.config.token } })
      end,`;
    const plugin = new PluginFolder('deep', lua('one'));
    const read = async () => JSON.parse(await redisCli(engine, ['--raw', 'HGET', 'mh:{c}:plugins', 'deep']));
    await engine.ok(200, plugin.install(engine, { plain: 'enc:is a word', token: 'a-secret-of-old' }));
    plugin.write(lua('two'));
    await engine.ok(200, engine.post('/api/plugins/deep/reload'));
    assert.equal((await engine.ok(200, engine.post(ROTATE))).secrets, 4);
    const record = await read(), [key] = keysOf(engine);
    assert.equal(record.config.plain, 'enc:is a word');
    for (const sealed of [record.config.token, record.before.config.token])
      assert.equal(opens(sealed, key, 'plugin:deep:token'), 'a-secret-of-old');
    await engine.stop();
    await engine.start();
    await engine.ok(200, engine.post('/api/plugins/deep/rollback'));
    await resultOf(engine, 'deep', 'alert');
    const [{ headers }] = await receiver.got(1, (r) => r.url === '/one');
    assert.equal(headers.token, 'a-secret-of-old');
    await engine.ok(200, engine.delete('/api/plugins/deep'));
  });
});

describe('a change that is interrupted', () => {
  const engine = new Engine();
  let hook, former;

  const freeze = () => process.kill(engine.redisPid(), 'SIGSTOP');
  const thaw = (pid) => process.kill(pid, 'SIGCONT');
  // A change that waits for a Redis that does not answer.
  const begun = async () => {
    const seen = engine.lines.length;
    freeze();
    const answered = engine.post(ROTATE).catch((error) => error);
    await eventually(() => engine.lines.slice(seen).some((l) => l.includes('event=master_key_rotation_begun')),
                     'a change that has begun');
    return { answered };                    // not awaited by who awaits this
  };

  before(async () => {
    await engine.start();
    hook = await furnish(engine);
  });
  beforeEach(() => { [former] = keysOf(engine); });
  after(() => engine.stop());

  test('by a kill of the engine goes on when it starts again', async () => {
    await begun();
    const frozen = engine.redisPid();
    assert.deepEqual(keysOf(engine).slice(1), [former], 'both keys are in the file');
    assert.equal(statSync(keyFile(engine)).mode & 0o777, 0o600);
    await engine.kill();
    thaw(frozen);
    await engine.start();
    await engine.logged(/event=master_key_rotation_resumed/);
    await engine.logged(/event=master_key_rotated secrets=2/);
    assert.equal(keysOf(engine).length, 1);
    await assertSealedUnder(engine, hook, keysOf(engine)[0], former);
    await assertWorking(engine, hook);
  });

  test('lets no second one begin', async () => {
    const { answered } = await begun();
    assertProblem(await engine.post(ROTATE), 409);
    thaw(engine.redisPid());
    assert.equal((await answered).status, 200);
    await assertWorking(engine, hook);
  });

  test('by the end of Redis keeps both keys, says so, and goes on when Redis is back', async () => {
    const { answered } = await begun();
    process.kill(engine.redisPid(), 'SIGKILL');
    const got = await answered;
    assertProblem(got, 503);
    assert.match(got.json.detail, /both keys are kept/);
    await engine.logged(/event=master_key_rotation_resumed/);
    await eventually(() => keysOf(engine).length === 1, 'the end of the change');
    await assertSealedUnder(engine, hook, keysOf(engine)[0], former);
    await assertWorking(engine, hook);
  });
});

describe('a master key that the environment gives', () => {
  const [one, two] = [newKey(), newKey()];
  const engine = new Engine({ env: { MOONHOOK_MASTER_KEY: one } });
  const restart = async (keys) => {
    await engine.stop();
    engine.env = { MOONHOOK_MASTER_KEY: keys };
    await engine.start();
  };
  let hook;

  before(async () => {
    await engine.start();
    hook = await furnish(engine);
  });
  after(() => engine.stop());

  test('is changed only when it comes with a new one', async () => {
    const answer = await engine.post(ROTATE);
    assertProblem(answer, 409);
    assert.match(answer.json.detail, /MOONHOOK_MASTER_KEY=NEW,FORMER/);
  });

  test('is written nowhere, and neither the engine nor a child of it shows it', async () => {
    for (const [file, bytes] of filesBelow(engine.data))
      assert.ok(!bytes.includes(one), `the key is in ${file}`);
    const children = readFileSync(`/proc/${engine.pid}/task/${engine.pid}/children`, 'utf8').trim().split(' ');
    assert.equal(children.length, 2, 'Redis and a sandbox');
    for (const pid of [engine.pid, ...children]) {
      const environ = readFileSync(`/proc/${pid}/environ`, 'latin1');
      assert.ok(!environ.includes(one), `/proc/${pid}/environ`);
    }
  });

  test('seals all under the first of two, which alone then serves', async () => {
    await restart(`${two},${one}`);
    const answer = await engine.ok(200, engine.post(ROTATE));
    assert.deepEqual([answer.rotated, answer.secrets], [true, 2]);
    assert.match(answer.detail, /may now be removed/);
    await assertSealedUnder(engine, hook, two, one);
    await restart(two);
    await assertWorking(engine, hook);
    assert.ok(!existsSync(keyFile(engine)));
  });
});

test('an engine that crashes leaves no picture of its memory', async () => {
  const engine = new Engine();
  await engine.start();
  assert.match(readFileSync(`/proc/${engine.pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
  await engine.stop();
});

describe('an endpoint with several keys', () => {
  const engine = new Engine();
  before(() => engine.start());
  after(() => engine.stop());

  test('keeps every one of them over a change of the master key', async () => {
    const { id, secret: older, public_key: key } = await engine.webhook(receiver.url, { ed25519: true });
    const { secret } = await engine.ok(200, engine.post(`/api/webhooks/${id}/rotate-secret`));
    const { secrets } = await engine.ok(200, engine.post(ROTATE));
    assert.equal(secrets, 3);
    await engine.stop();
    await engine.start();
    assert.equal((await engine.ok(200, engine.get(`/api/webhooks/${id}`))).public_key, key);
    await engine.event('alert');
    const [{ body, headers }] = await receiver.got(1);
    assert.equal(headers['webhook-signature'].split(' ').length, 3);
    for (const one of [secret, older]) new Webhook(one).verify(body, headers);
  });
});
