// canary.test.mjs - sealed secrets (DESIGN 3): a plugin sends its secrets in every place that
// there is, a service echoes them in every way that it can think of, the plugin logs what it
// got, returns it, throws it and stores it. Then the sandbox's memory, the log, every REST answer,
// Redis and the disk are searched: the secrets are nowhere but encrypted.
//
// A search that cannot find anything proves nothing: the same one finds a value that is
// no secret in the sandbox's memory, and the secrets themselves in the engine's.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { filesBelow, opens, redisCli, redisValues } from './lib/disk.mjs';
import { Engine, folder } from './lib/engine.mjs';
import { foundInMemory, mayReadMemory } from './lib/memory.mjs';
import { PluginFolder, resultOf } from './lib/plugins.mjs';
import { freePort } from './lib/port.mjs';
import { Receiver } from './lib/receiver.mjs';

const USER = 'canary-user';
const MARKER = `marker-${randomBytes(12).toString('hex')}`;

// ---- The canaries: a random core, and around it what each place escapes otherwise ----------

const core = () => randomBytes(15).toString('base64url').replace(/[-_]/g, 'q');
const cores = { url: core(), parameter: core(), query: core(), header: core(), password: core(),
                json: core(), form: core(), hmac: core(), dead: core(), foreign: core(), broken: core() };
const around = (name) => `c@n"ary/é&x ${cores[name]} <'+\\%41>${name}`;

const receiver = new Receiver();
const secrets = {};                     // as configured, by name
const tmp = folder('mh-tmp-');
const engine = new Engine({ flags: ['--log-level', 'debug', '--plugin-retry-schedule', '0s'],
                            env: { TMPDIR: tmp } });
const answers = [];                     // every REST answer of this test: [path, text]

const base64Inside = (text) => [0, 1, 2].flatMap((before) => {
  const whole = Buffer.from('x'.repeat(before) + text).toString('base64');
  const inner = whole.slice(Math.ceil(before * 8 / 6), Math.floor((before + text.length) * 8 / 6));
  return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
});

// What would betray a canary: its core, which no escaping touches, in each case, in hex and
// in base64 whatever stands before it.
const traces = Object.values(cores).flatMap((text) => [text, text.toLowerCase(), text.toUpperCase(),
  Buffer.from(text).toString('hex'), Buffer.from(text).toString('hex').toUpperCase(),
  ...base64Inside(text)]);

function assertNowhere(where, bytes) {
  const text = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
  for (const trace of traces) {
    const at = text.indexOf(trace);
    assert.equal(at, -1, `${trace} in ${where}: ...${text.subarray(Math.max(0, at - 80), at + 80)}...`);
  }
}

// ---- The service: shows what it got, and all canaries in all writings -----------------------

const utf16 = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '/': '&#x2F;' };
const WRITINGS = {
  raw: (t) => t,
  percent: (t) => encodeURIComponent(t),
  lower_percent: (t) => encodeURIComponent(t).replace(/%../g, (c) => c.toLowerCase()),
  every_percent: (t) => Buffer.from(t).toString('hex').replace(/../g, '%$&'),
  uri: (t) => encodeURI(t),
  form: (t) => new URLSearchParams({ t }).toString().slice(2),
  json: (t) => JSON.stringify(t).slice(1, -1),
  ascii_json: (t) => JSON.stringify(t).slice(1, -1).replace(/[^ -~]/g, utf16),
  php_json: (t) => JSON.stringify(t).slice(1, -1).replaceAll('/', '\\/').replace(/[^ -~]/g, utf16),
  careful_json: (t) => JSON.stringify(t).slice(1, -1).replace(/[<>&'+]/g, utf16),
  html: (t) => t.replace(/[&<>"'/]/g, (c) => ENTITIES[c]),
  hex: (t) => Buffer.from(t).toString('hex'),
  upper_hex: (t) => Buffer.from(t).toString('hex').toUpperCase(),
  base64: (t) => Buffer.from(t).toString('base64'),
  base64url: (t) => Buffer.from(t).toString('base64url'),
  user_and_password: (t) => Buffer.from(`${USER}:${t}`).toString('base64'),
  padded_base64: (t) => encodeURIComponent(Buffer.from(`:${t}:`).toString('base64')),
  upper: (t) => t.toUpperCase().replaceAll('É', 'é'),
};
const inHeader = (text) => Buffer.from(text).toString('latin1');

function echo(request) {
  const lines = [`${request.method} ${request.url}`, JSON.stringify(request.headers), request.body];
  const headers = { location: request.url, 'x-authorization': request.headers.authorization ?? '',
                    'x-key': request.headers['x-key'] ?? '' };
  for (const [name, value] of Object.entries(secrets))
    for (const [writing, write] of Object.entries(WRITINGS)) {
      lines.push(`${name} ${writing}: ${write(value)}`);
      headers[`x-${name}-${writing.replaceAll('_', '-')}`] = inHeader(write(value));
    }
  return { status: request.url.startsWith('/refuse') ? 418 : 200, headers, body: lines.join('\n'),
           reason: encodeURIComponent(secrets.query) };
}

// ---- The plugin --------------------------------------------------------------------------------

const BEFORE = `local http = require "moonhook.http"
local log = require "moonhook.log"
local sign = require "moonhook.sign"
local store = require "moonhook.store"

local function shown(res)
  local lines = { res.status .. " " .. res.body }
  for name, value in pairs(res.headers) do lines[#lines + 1] = name .. ": " .. value end
  if res.error then lines[#lines + 1] = res.error.code .. " " .. res.error.message end
  return table.concat(lines, "\\n")
end

local function ask(c, path)
  return {
    http.get(c.url),
    http.post(c.base .. path .. "?a=" .. c.query, { query = { q = c.query }, headers = { ["X-Key"] = c.header },
      auth = { "${USER}", c.password }, json = { key = c.json, [c.json] = { "in " .. c.json .. " between" } } }),
    http.post(c.base .. path, { form = { f = c.form }, auth = "Bearer " .. c.header }),
    http.post(c.base .. path, { auth = "Bearer " .. sign.jwt({ sub = "canary" }, c.hmac),
      headers = { ["X-Mac"] = sign.hmac("sha256", c.hmac, "signed"), ["X-Equal"] = tostring(sign.equal("k=" .. c.hmac, "k=" .. c.hmac)) },
      body = sign.hmac("sha1", "k" .. c.hmac, c.hmac, "base64") .. sign.digest("sha256", c.hmac) }),
    http.put(c.base .. path, { body = c.form, headers = { Cookie = "a=" .. c.header } }),
    http.get(c.dead), http.get(c.foreign), http.get("http://" .. c.broken .. "/" .. c.broken),
    http.get(c.base, { headers = { [c.broken] = "x" } }), http.get(c.base, { headers = { x = "\\n" .. c.broken } }),
  }
end

local modes = {}
function modes.log(all, c)
  for _, res in ipairs(all) do log.warn("%s", shown(res)) end
  for name, value in pairs(c) do log.info("%s = %s", name, value) end
end
function modes.throw(all) error(shown(all[2]), 0) end
function modes.expect(all) all[2]:expect(204) end
function modes.trace(all) error(all[1].body:sub(1, 500)) end
function modes.store(all, c)
  for i, res in ipairs(all) do store.set("answer:" .. i, shown(res):sub(1, 30000)) end
  for name, value in pairs(c) do store.set(name .. "=" .. value:sub(1, 100), { [value] = value }) end
  for i in ipairs(all) do log.info(store.get("answer:" .. i)) end
end
function modes.algorithm(all, c) sign.hmac(c.hmac, c.hmac, c.hmac) end
function modes.key(all, c) store.set(c.hmac .. "\\n", 1) end
for i = 6, 10 do modes["error" .. i] = function(all) error(shown(all[i]), 0) end end
modes["return"] = function(all, c)
  local texts = {}
  for i, res in ipairs(all) do texts[i] = shown(res) end
  return { texts = texts, config = c }
end
`;
const secret = '{ type = "string", secret = true, required = true }';
const address = '{ type = "string", format = "uri", secret = true, required = true }';
const LUA = (ports) => `permissions = { ${ports.map((p) => `"http:127.0.0.1:${p}"`)}, "alerts:read", "storage" },
  limits = { memory_mb = 64, timeout_ms = 20000 },
  config = { base = { type = "string" }, marker = { type = "string" }, url = ${address}, dead = ${address},
    foreign = ${address}, ${['query', 'header', 'password', 'json', 'form', 'hmac', 'broken'].map((n) => `${n} = ${secret}`)} },
  on_alert = function(data, ctx)
    local all = ask(ctx.config, data.path or "/echo")
    local mode = modes[data.mode]
    return mode(all, ctx.config) or { mode = data.mode, marker = ctx.config.marker }
  end,`;

async function record(path, promise) {
  const got = await promise;
  answers.push([path, got.text]);
  return got;
}

async function run(mode, more = {}) {
  const row = await resultOf(engine, 'canary', 'alert', { mode, ...more });
  answers.push([`the result of ${mode}`, JSON.stringify(row)]);
  return row;
}

const pidOf = () => Number(/ pid=(\d+)/.exec(
  engine.lines.findLast((l) => l.includes('event=plugin_ready plugin=canary')))[1]);
const searchMemory = (pid) => foundInMemory(pid, [MARKER, ...traces, ...Object.values(secrets)]);

describe('a secret', { timeout: 160_000 }, () => {
  let modes, duringCall;

  before(async () => {
    await Promise.all([engine.start(), receiver.start()]);
    const deadPort = await freePort();
    for (const name of ['query', 'header', 'password', 'json', 'form', 'hmac', 'broken']) secrets[name] = around(name);
    const urlPath = `hook/${cores.url}/p%C3%A9%40h`;
    secrets.url = `${receiver.url}/${urlPath}?key=${encodeURIComponent(around('parameter'))}&v=1`;
    secrets.dead = `http://127.0.0.1:${deadPort}/${cores.dead}`;
    secrets.foreign = `http://10.1.2.3/${cores.foreign}?${cores.foreign}`;
    receiver.answer = echo;
    const plugin = new PluginFolder('canary', LUA([receiver.port, deadPort]), { before: BEFORE });
    const config = { base: receiver.url, marker: MARKER, ...secrets };
    const got = await record('install', plugin.install(engine, config));
    assert.equal(got.status, 200, got.text);
  });
  after(() => Promise.all([engine.stop(), receiver.stop()]));

  test('reaches the service in the URL, the query, a header, Basic auth, JSON, a form, raw and as the key of a signature', async () => {
    assert.deepEqual(await run('return').then((r) => r.status), 'delivered');
    const [get, post, form, signed, put] = receiver.requests;
    const value = (header) => Buffer.from(header, 'latin1').toString('utf8');
    assert.equal(receiver.url + get.url, secrets.url);
    assert.equal(new URL(get.url, receiver.url).searchParams.get('key'), around('parameter'));
    const query = new URL(post.url, receiver.url).searchParams;
    assert.deepEqual([query.get('a'), query.get('q')], [secrets.query, secrets.query]);
    assert.equal(value(post.headers['x-key']), secrets.header);
    assert.equal(post.headers.authorization,
                 `Basic ${Buffer.from(`${USER}:${secrets.password}`).toString('base64')}`);
    assert.deepEqual(post.json, { key: secrets.json, [secrets.json]: [`in ${secrets.json} between`] });
    assert.equal(new URLSearchParams(form.body).get('f'), secrets.form);
    assert.equal(value(form.headers.authorization), `Bearer ${secrets.header}`);
    const mac = (key, text) => createHmac('sha256', key).update(text);
    assert.equal(signed.headers['x-mac'], mac(secrets.hmac, 'signed').digest('hex'));
    assert.equal(signed.headers['x-equal'], 'true');
    const [, jwt, signature] = /^Bearer (.+)\.(.+)$/.exec(signed.headers.authorization);
    assert.equal(signature, mac(secrets.hmac, jwt).digest('base64url'));
    assert.equal(put.body, secrets.form);
    assert.equal(value(put.headers.cookie), `a=${secrets.header}`);
  });

  test('is what the plugin may log, throw, return and store without ever having it', async () => {
    modes = ['log', 'return', 'throw', 'expect', 'trace', 'store', 'algorithm', 'key',
             'error6', 'error7', 'error8', 'error9', 'error10'];
    for (const mode of modes) {
      const row = await run(mode, mode === 'expect' ? { path: '/refuse' } : {});
      assert.equal(row.status, ['log', 'return', 'store'].includes(mode) ? 'delivered' : 'failed', JSON.stringify(row));
      assert.ok(mode !== 'return' || JSON.stringify(row.result).includes(MARKER), 'what is no secret comes back');
    }
  });

  test('is not in the memory of the sandbox while a call is under way',
    { skip: !mayReadMemory && 'reading the memory of another process needs root' }, async () => {
      receiver.answer = async (request) => {
        duringCall ??= request.headers['x-key'] && searchMemory(pidOf());
        return echo(request);
      };
      await run('return');
      receiver.answer = echo;
      assert.deepEqual(duringCall.found, [MARKER]);
    });

  test('is not in the memory of the sandbox, where another value of the configuration is',
    { skip: !mayReadMemory && 'reading the memory of another process needs root' }, () => {
      const { found, bytes } = searchMemory(pidOf());
      assert.ok(bytes > 1 << 20, `${bytes} bytes were read`);
      assert.deepEqual(found, [MARKER]);
    });

  test('is in the memory of the engine, where the same search finds it',
    { skip: !mayReadMemory && 'reading the memory of another process needs root' }, () => {
      const { found } = foundInMemory(engine.pid, Object.values(cores));
      assert.deepEqual(found.sort(), Object.values(cores).sort());
    });

  test('is in no environment and no command line', () => {
    for (const pid of [engine.pid, pidOf(), engine.redisPid()])
      for (const file of ['environ', 'cmdline']) assertNowhere(file, readFileSync(`/proc/${pid}/${file}`));
  });

  test('is in no answer to a configuration that is refused', async () => {
    const wrong = { ...secrets, base: receiver.url, marker: MARKER };
    const put = (config) => record('PUT', engine.put('/api/plugins/canary/config', config));
    for (const [field, value] of [['url', secrets.query], ['url', `ftp://${cores.url}/`], ['unknown', secrets.json],
      ['query', [secrets.query]], ['query', { a: secrets.query }], ['query', secrets.query + 'x'.repeat(70000)]])
      assert.equal((await put({ ...wrong, [field]: value })).status, 422, field);
    const cut = JSON.stringify(wrong);
    for (let at = cut.length - 1; at > 0; at -= 97) {
      const got = await record('PUT', engine.send('PUT', '/api/plugins/canary/config', { body: cut.slice(0, at) }));
      assert.equal(got.status, 400, got.text);
    }
    const got = await record('PUT', engine.send('PUT', '/api/plugins/canary/config',
      { body: `{"query": ${JSON.stringify(secrets.query)} ${JSON.stringify(secrets.json)}}` }));
    assert.equal(got.status, 400);
  });

  test('stays as it is when *** is sent for it, and works', async () => {
    const masked = Object.fromEntries(Object.keys(secrets).map((name) => [name, '***']));
    const got = await record('PUT', engine.put('/api/plugins/canary/config',
      { ...masked, base: receiver.url, marker: MARKER }));
    assert.equal(got.status, 200, got.text);
    receiver.reset();
    receiver.answer = echo;
    await run('log');
    assert.equal(receiver.url + receiver.requests[0].url, secrets.url);
  });

  test('is in no REST answer', async () => {
    const { paths } = (await engine.get('/openapi.json')).json;
    const deliveries = (await engine.get('/api/plugins/canary/deliveries?limit=200')).json.items;
    assert.ok(deliveries.length > modes.length);
    const ids = { '/api/plugins/{id}': ['canary'], '/api/events/{id}': deliveries.map((d) => d.id.split('~')[0]),
                  '/api/deliveries/{id}': deliveries.map((d) => d.id) };
    for (const pattern of Object.keys(paths).filter((path) => paths[path].get)) {
      const known = Object.keys(ids).find((prefix) => pattern.startsWith(prefix));
      for (const id of pattern.includes('{id}') ? ids[known] ?? [] : [''])
        await record(pattern, engine.get(pattern.replace('{id}', id)));
    }
    assert.ok(answers.some(([, text]) => text.includes(MARKER)), 'what is no secret is in some');
    for (const [path, text] of answers) assertNowhere(path, text);
  });

  test('is in no line of the log, with all that debug tells', () => {
    assert.ok(engine.lines.some((line) => line.includes('level=debug')));
    assert.ok(engine.lines.some((line) => line.includes(MARKER)), 'what is no secret is there');
    for (const line of engine.lines) assertNowhere('the log', line);
  });

  test('is in Redis encrypted, and not otherwise', async () => {
    const [key] = readFileSync(join(engine.data, 'master.key'), 'utf8').split('\n');
    const { config } = JSON.parse(await redisCli(engine, ['--raw', 'HGET', 'mh:{c}:plugins', 'canary']));
    for (const [name, value] of Object.entries(secrets))
      assert.equal(opens(config[name], key, `plugin:canary:${name}`), value);
    const values = await redisValues(engine);
    assert.ok(values.some(([, bytes]) => bytes.includes(MARKER)), 'what is no secret is there');
    for (const [name, bytes] of values) assertNowhere(name, bytes);
  });

  test('is in no file of the data directory nor of the temporary one', async () => {
    await redisCli(engine, ['--rdb', join(engine.data, 'dump.rdb')]);
    const files = [...filesBelow(engine.data), ...filesBelow(tmp)];
    assert.ok(files.some(([, bytes]) => bytes.includes(MARKER)), 'what is no secret is there');
    for (const [name, bytes] of files) assertNowhere(name, bytes);
  });
});
