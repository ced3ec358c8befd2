// plugin_sign.test.mjs - moonhook.sign against published vectors and Node's own cryptography.
import assert from 'node:assert/strict';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { luaPlugin } from './lib/lua_plugin.mjs';
import { Receiver } from './lib/receiver.mjs';

const SECRET = 'a "quoted" sécret/+';
const engine = new Engine();
const receiver = new Receiver();
let plugin;

// One plugin for all: it calls what the event names. Bytes travel as hex.
const BODY = `
  local function bytes(hex) return (hex:gsub("..", function(h) return string.char(tonumber(h, 16)) end)) end
  local function given(v)
    if type(v) == "table" and v.hex then return bytes(v.hex) end
    if type(v) == "string" then return (v:gsub("TOKEN", ctx.config.key)) end
    return v
  end
  local list = {}
  for i, v in ipairs(data.args) do list[i] = given(v) end
  local first, second = sign[data.call](unpack(list))
  if type(first) == "string" and data.hex then
    first = first:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  end
  return { first, second, json.null }`;

before(async () => {
  await Promise.all([engine.start(), receiver.start()]);
  plugin = await luaPlugin(engine, BODY, {
    more: 'config = { key = { type = "string", secret = true } },', config: { key: SECRET } });
});
after(() => Promise.all([engine.stop(), receiver.stop()]));

const hex = (bytes) => ({ hex: Buffer.from(bytes).toString('hex') });
async function call(name, ...args) { return (await plugin.value({ call: name, args }))[0]; }
async function why(name, ...args) { return (await plugin.value({ call: name, args }))[1]; }

async function refusal(name, ...args) {
  const { error } = await plugin.ask({ call: name, args });
  assert.ok(error, 'an error was expected');
  return error.message;
}

describe('sign.hmac', () => {
  test("agrees with GitHub's example (vector D)", async () => {
    assert.equal(await call('hmac', 'sha256', "It's a Secret to Everybody", 'Hello, World!'),
                 '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17');
  });

  // RFC 4231: key, data, SHA-256, the begin of SHA-512.
  for (const [n, key, data, sha256, sha512] of [
    [1, Buffer.alloc(20, 0x0b), 'Hi There',
     'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7', '87aa7cdea5ef619d4ff0b4241a1d6cb0'],
    [2, 'Jefe', 'what do ya want for nothing?',
     '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', '164b7a7bfcf819e2e395fbe73b56e0a3'],
    [3, Buffer.alloc(20, 0xaa), Buffer.alloc(50, 0xdd),
     '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe', 'fa73b0089d56a284efb0f0756c890be9'],
    [6, Buffer.alloc(131, 0xaa), 'Test Using Larger Than Block-Size Key - Hash Key First',
     '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54', '80b24263c7c1a3ebb71493c1dd7be8b4'],
  ])
    test(`agrees with case ${n} of RFC 4231`, async () => {
      assert.equal(await call('hmac', 'sha256', hex(key), hex(data)), sha256);
      assert.equal((await call('hmac', 'sha512', hex(key), hex(data))).slice(0, 32), sha512);
    });

  for (const algorithm of ['sha1', 'sha256', 'sha512'])
    for (const encoding of ['hex', 'base64', 'base64url'])
      test(`agrees with Node on random bytes (${algorithm}, ${encoding})`, async () => {
        const key = randomBytes(37), text = randomBytes(999);
        assert.equal(await call('hmac', algorithm, hex(key), hex(text), encoding),
                     createHmac(algorithm, key).update(text).digest(encoding));
      });

  test('gives raw bytes, from which the next key is made', async () => {
    const row = await plugin.value({ call: 'hmac', hex: true, args: ['sha256', 'k', 't', 'raw'] });
    assert.equal(row[0], createHmac('sha256', 'k').update('t').digest('hex'));
  });

  test('takes a secret as its key, also inside longer text', async () => {
    for (const [key, real] of [['TOKEN', SECRET], ['AWS4TOKEN!', `AWS4${SECRET}!`]])
      assert.equal(await call('hmac', 'sha256', key, 'text'), createHmac('sha256', real).update('text').digest('hex'));
  });

  test('does not put a secret into what it signs', async () => {
    assert.notEqual(await call('hmac', 'sha256', 'known', 'TOKEN'),
                    createHmac('sha256', 'known').update(SECRET).digest('hex'));
  });

  test('lets a receiver verify what the plugin sent', async () => {
    const sender = await luaPlugin(engine, `
      local body = json.encode(data)
      http.post("${receiver.url}/", { body = body, headers = {
        ["X-Signature"] = "sha256=" .. sign.hmac("sha256", ctx.config.key, body) } }):expect(200)
      return true`, { permissions: [`http:127.0.0.1:${receiver.port}`],
                      more: 'config = { key = { type = "string", secret = true } },', config: { key: SECRET } });
    await sender.value({ title: 'ünïcödé' });
    const [{ headers, body }] = await receiver.got(1);
    assert.equal(headers['x-signature'], `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`);
  });

  for (const [what, args, sentence] of [
    ['another algorithm', ['md5', 'k', 't'], /sign\.hmac: the algorithm must be sha1, sha256 or sha512/],
    ['another encoding', ['sha256', 'k', 't', 'HEX'], /the encoding must be/],
    ['an empty key', ['sha256', '', 't'], /the key is empty/],
    ['a key that is no string', ['sha256', 5, 't'], /sign\.hmac: the key must be a string, not a number/],
  ])
    test(`refuses ${what} at the plugin's line`, async () => {
      const message = await refusal('hmac', ...args);
      assert.match(message, sentence);
      assert.match(message, /^plugin\.lua:\d+: /);
    });

  test('refuses a text of more than 1 MiB', async () => {
    const own = await luaPlugin(engine, 'return sign.hmac("sha256", "k", ("t"):rep(1048576 + data.more))');
    assert.equal((await own.value({ more: 0 })).length, 64);
    const { error } = await own.ask({ more: 1 });
    assert.match(error.message, /the key may have 64 KiB, the text 1 MiB/);
  });
});

describe('sign.digest', () => {
  for (const algorithm of ['sha1', 'sha256', 'sha512'])
    test(`agrees with Node (${algorithm})`, async () => {
      const text = randomBytes(333);
      assert.equal(await call('digest', algorithm, hex(text)), createHash(algorithm).update(text).digest('hex'));
    });

  test('of nothing is the digest of nothing', async () => {
    assert.equal(await call('digest', 'sha256', ''), createHash('sha256').digest('hex'));
  });

  test('takes a token as the text that it is', async () => {
    assert.notEqual(await call('digest', 'sha256', 'TOKEN'), createHash('sha256').update(SECRET).digest('hex'));
  });
});

describe('sign.equal', () => {
  for (const [a, b, wanted] of [['a', 'a', true], ['a', 'b', false], ['a', 'ab', false], ['', '', true],
                                ['TOKEN', SECRET, true], [SECRET, 'TOKEN', true], ['TOKEN', `${SECRET}.`, false],
                                ['Bearer TOKEN', `Bearer ${SECRET}`, true], ['TOKEN', 'TOKEN', true]])
    test(`of ${JSON.stringify(a)} and ${JSON.stringify(b)} is ${wanted}`, async () =>
      assert.equal(await call('equal', a, b), wanted));
});

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
function jwt(header, claims, key) {
  const text = `${b64(header)}.${b64(claims)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}
const HS256 = { alg: 'HS256', typ: 'JWT' };
const now = () => Math.floor(Date.now() / 1000);

describe('sign.jwt', () => {
  test('makes a token that another implementation verifies', async () => {
    const [header, claims, signature] = (await call('jwt', { sub: 'ü', n: 1 }, 'TOKEN')).split('.');
    assert.equal(signature, createHmac('sha256', SECRET).update(`${header}.${claims}`).digest('base64url'));
    assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url')), HS256);
    assert.deepEqual(JSON.parse(Buffer.from(claims, 'base64url')), { sub: 'ü', n: 1 });
  });

  test('does not put a secret into the claims, which anyone can read', async () => {
    const own = await luaPlugin(engine, 'return sign.jwt({ leak = ctx.config.key }, "k")', {
      more: 'config = { key = { type = "string", secret = true } },', config: { key: SECRET } });
    const claims = Buffer.from((await own.value()).split('.')[1], 'base64url').toString();
    assert.match(claims, /^{"leak":"mhs_\w+"}$/);
  });
});

describe('sign.jwt_verify', () => {
  // RFC 7515 A.1: signed by someone else, in another layout, and expired in 2011.
  const A1 = 'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.'
    + 'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.'
    + 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  const A1_KEY = Buffer.from(
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow', 'base64url');

  test('finds the signature of RFC 7515 A.1 right, and its time over', async () => {
    assert.equal(await why('jwt_verify', A1, hex(A1_KEY)), 'it has expired');
    assert.equal(await why('jwt_verify', A1.replace('dBjf', 'dBjg'), hex(A1_KEY)), 'the signature is not right');
  });

  test('gives the claims of a good token, whose key may be a secret', async () => {
    const claims = { sub: 'me', exp: now() + 60, nbf: now() - 60, big: [{}, []] };
    assert.deepEqual(await call('jwt_verify', jwt(HS256, claims, SECRET), 'TOKEN'), claims);
  });

  test('takes what sign.jwt made', async () => {
    assert.deepEqual(await call('jwt_verify', await call('jwt', { a: 1 }, 'k'), 'k'), { a: 1 });
  });

  test('allows for clocks that are apart, as far as it is told', async () => {
    const late = jwt(HS256, { exp: now() - 30 }, 'k'), early = jwt(HS256, { nbf: now() + 30 }, 'k');
    for (const token of [late, early]) {
      assert.ok(await why('jwt_verify', token, 'k'));
      assert.ok(await call('jwt_verify', token, 'k', { leeway_s: 90 }));
    }
  });

  const good = jwt(HS256, { a: 1 }, 'k');
  for (const [what, token, sentence] of [
    ['an unsigned token', `${b64({ alg: 'none' })}.${b64({ a: 1 })}.`, 'its algorithm is not HS256'],
    ['another algorithm', jwt({ alg: 'HS512' }, { a: 1 }, 'k'), 'its algorithm is not HS256'],
    ['extensions that it does not know', jwt({ ...HS256, crit: ['b64'] }, {}, 'k'),
     'it names extensions that must be understood'],
    ['another key', jwt(HS256, { a: 1 }, 'other'), 'the signature is not right'],
    ['a changed claim', good.replace(b64({ a: 1 }), b64({ a: 2 })), 'the signature is not right'],
    ['a signature cut short', good.slice(0, -2), 'the signature is not right'],
    ['an expiry that is no number', jwt(HS256, { exp: '9999999999' }, 'k'), 'exp and nbf must be numbers'],
    ['claims that are no object', jwt(HS256, '[1]', 'k'), 'the claims cannot be read'],
    ['two parts', good.split('.').slice(0, 2).join('.'), 'it is no JWT'],
    ['four parts', `${good}.x`, 'it is no JWT'], ['nothing', '', 'it is no JWT'],
    ['padding', `${good}=`, 'the signature is not right'],
  ])
    test(`refuses ${what}`, async () => assert.equal(await why('jwt_verify', token, 'k'), sentence));

  test('refuses a leeway that is out of all reason', async () => {
    assert.match(await refusal('jwt_verify', good, 'k', { leeway_s: 1e9 }), /leeway_s must be 0 to 86400/);
  });
});
