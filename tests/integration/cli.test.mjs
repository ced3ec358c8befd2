// cli.test.mjs - the command line from outside: client commands against a server that
// records what it is asked, `moonhook listen` against the signing libraries that
// webhook senders use.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { run, start, text } from './lib/cli.mjs';
import { freePort } from './lib/port.mjs';

describe('the command line itself', () => {
  const cases = [
    ['nothing at all is a usage error with the help', [], 2, /^$/, /usage: moonhook COMMAND/],
    ['--help lists every command', ['--help'], 0, /webhook add[^]*Exit codes: 0 done/, /^$/],
    ['--version says one line', ['--version'], 0, /^moonhook \d+\.\d+\.\d+\n$/, /^$/],
    ['a command tells its options', ['listen', '--help'], 0, /--secret WHSEC/, /^$/],
    ['serve tells its settings', ['serve', '--help'], 0, /--listen ADDR:PORT[^]*MOONHOOK_LISTEN/, /^$/],
    ['the first word of commands lists them', ['webhook', '--help'], 0, /webhook retry/, /^$/],
    ['an unknown command gets the nearest', ['webhook', 'lst'], 2, /^$/, /^moonhook: .*did you mean "webhook list"\?\n$/],
    ['an unknown option gets the nearest', ['key', 'list', '--jsno'], 2, /^$/, /^moonhook: .*did you mean --json\?\n$/],
    ['a missing argument is told by the usage', ['webhook', 'add'], 2, /^$/, /usage: moonhook webhook add URL/],
    ['one argument too many is named', ['event', 'show', 'a', 'b'], 2, /^$/, /"b" is one argument too many/],
    ['an unknown setting is refused', ['serve', '--max-boddy', '1m'], 2, /^$/, /did you mean --max-body\?/],
    ['data that is not JSON is refused', ['event', 'send', 'alert', '--data', '{oops'], 1, /^$/, /the event's data is not JSON/],
    ['a file that is not there is named', ['event', 'send', 'alert', '--data', '@/nowhere'], 1, /^$/, /\/nowhere cannot be read: No such file/],
  ];
  for (const [name, args, code, out, err] of cases)
    test(name, async () => {
      const got = await run(args);
      assert.match(got.err, err);
      assert.match(got.out, out);
      assert.equal(got.code, code);
    });

  test('an engine that is not there is told with what to do', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const got = await run(['key', 'list', '--url', url, '--key', 'k']);
    assert.equal(got.err, `moonhook: nothing answers at ${url} - is \`moonhook serve\` running?\n`);
    assert.equal(got.code, 1);
  });
});

describe('client commands', () => {
  let server, url, dir, asked, answer;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'mh-cli-'));
    server = createServer(async (req, res) => {
      const body = await text(req);
      asked.push({ method: req.method, url: req.url, auth: req.headers.authorization,
                   type: req.headers['content-type'], body });
      const { status = 200, json, raw } = answer(asked.length - 1);
      res.writeHead(status, { 'content-type': 'application/json' }).end(raw ?? JSON.stringify(json));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${server.address().port}`;
  });
  after(() => { server.close(); rmSync(dir, { recursive: true }); });
  beforeEach(() => { asked = []; answer = () => ({ json: {} }); });

  const cli = (args, options = {}) =>
    run([...args, '--url', url], { ...options, env: { MOONHOOK_KEY: 'mh_test', ...options.env } });
  const only = () => (assert.equal(asked.length, 1), asked[0]);

  const requests = [
    ['event show evt_1', 'GET', '/api/events/evt_1'],
    ['webhook list', 'GET', '/api/webhooks'],
    ['webhook show wh_1', 'GET', '/api/webhooks/wh_1'],
    ['webhook remove wh_1', 'DELETE', '/api/webhooks/wh_1'],
    ['webhook test wh_1', 'POST', '/api/webhooks/wh_1/test'],
    ['webhook deliveries wh_1', 'GET', '/api/webhooks/wh_1/deliveries'],
    ['webhook deliveries wh_1 --status dead', 'GET', '/api/webhooks/wh_1/deliveries?status=dead'],
    ['webhook retry dlv_1', 'POST', '/api/deliveries/dlv_1/retry'],
    ['plugin available', 'GET', '/api/plugins/available'],
    ['plugin list', 'GET', '/api/plugins/installed'],
    ['plugin remove slack', 'DELETE', '/api/plugins/slack'],
    ['plugin reload slack', 'POST', '/api/plugins/slack/reload'],
    ['plugin rollback slack', 'POST', '/api/plugins/slack/rollback'],
    ['plugin enable slack', 'POST', '/api/plugins/slack/enable'],
    ['plugin disable slack', 'POST', '/api/plugins/slack/disable'],
    ['plugin logs slack', 'GET', '/api/plugins/slack/logs'],
    ['key list', 'GET', '/api/keys'],
    ['key revoke key_1', 'DELETE', '/api/keys/key_1'],
    ['event show ../keys?x', 'GET', '/api/events/..%2Fkeys%3Fx'],
  ];
  for (const [line, method, path] of requests)
    test(`${line} asks ${method} ${path}`, async () => {
      const got = await cli(line.split(' '));
      assert.equal(got.err, '');
      assert.equal(got.code, 0);
      assert.deepEqual([only().method, only().url, only().auth], [method, path, 'Bearer mh_test']);
    });

  const bodies = [
    ['event send alert --data {"a":1} --id x-1 --org acme', '/api/events',
      { event: 'alert', data: { a: 1 }, id: 'x-1', org_id: 'acme' }],
    ['event send alert', '/api/events', { event: 'alert', data: {} }],
    ['event send alert --wait', '/api/events?wait=10000', { event: 'alert', data: {} }],
    ['event send alert --wait=2s', '/api/events?wait=2000', { event: 'alert', data: {} }],
    ['webhook add https://x.example --events alert,error --org o --description d', '/api/webhooks',
      { url: 'https://x.example', events: ['alert', 'error'], org_id: 'o', description: 'd' }],
    ['webhook add https://x.example', '/api/webhooks', { url: 'https://x.example', events: ['*'] }],
    ['webhook add https://x.example --ed25519', '/api/webhooks',
      { url: 'https://x.example', events: ['*'], ed25519: true }],
    ['webhook add https://x.example --header A=b=c --header=B:d', '/api/webhooks',
      { url: 'https://x.example', events: ['*'], headers: { A: 'b=c', B: 'd' } }],
    ['webhook update wh_1 --no-headers --rate-limit none', '/api/webhooks/wh_1', { headers: {}, rate_limit: null }],
    ['webhook rotate wh_1 --overlap 2h', '/api/webhooks/wh_1/rotate-secret', { overlap: '2h' }],
    ['webhook rotate wh_1', '/api/webhooks/wh_1/rotate-secret', {}],
    ['plugin install slack a=text n=5 list=[1] --config url=http://h/?a=b', '/api/plugins/install',
      { source: 'slack', config: { url: 'http://h/?a=b', a: 'text', n: 5, list: [1] } }],
    ['plugin config slack a=1', '/api/plugins/slack/config', { a: 1 }],
    ['key create --org o --scope events:write --scope events:read --name ci', '/api/keys',
      { org_id: 'o', name: 'ci', scopes: ['events:write', 'events:read'] }],
  ];
  for (const [line, path, body] of bodies)
    test(`${line} sends what it says`, async () => {
      const got = await cli(line.split(' '));
      assert.equal(got.err, '');
      assert.equal(only().url, path);
      assert.deepEqual(JSON.parse(only().body), body);
      assert.equal(got.code, 0);
    });

  test('data and configuration come from files, from standard input too', async () => {
    const file = join(dir, 'config.json');
    writeFileSync(file, '{"a":1,"b":2}');
    await cli(['plugin', 'install', dir, '--config', `@${file}`, 'b=3']);
    await cli(['event', 'send', 'alert', '--data', '-'], { input: '{"from":"stdin"}' });
    assert.deepEqual(asked.map(({ body }) => JSON.parse(body)), [
      { source: `file:${dir}`, config: { a: 1, b: 3 } },
      { event: 'alert', data: { from: 'stdin' } },
    ]);
  });

  test('the key is that of the data directory when no other is given', async () => {
    writeFileSync(join(dir, 'admin.token'), 'mh_file\n');
    await run(['key', 'list', '--url', url, '--data', dir]);
    await run(['key', 'list', '--data-dir', dir], { env: { MOONHOOK_URL: `${url}/` } });
    await run(['key', 'list', '--key=mh_flag'], { env: { MOONHOOK_URL: url, MOONHOOK_KEY: 'mh_env' } });
    assert.deepEqual(asked.map(({ auth }) => auth),
                     ['Bearer mh_file', 'Bearer mh_file', 'Bearer mh_flag']);
  });

  test('without any key a 401 says where one could come from', async () => {
    answer = () => ({ status: 401, json: { title: 'unauthorized', detail: 'who are you?' } });
    const got = await run(['key', 'list', '--url', url, '--data', '/nowhere']);
    assert.match(got.err, /^moonhook: no API key: .*\/nowhere\/admin\.token: No such file/);
    assert.equal(got.code, 1);
  });

  test('a problem is told with its pointers, on one line each', async () => {
    answer = () => ({ status: 422, json: { type: 'about:blank', title: 'unprocessable', status: 422,
      detail: 'the configuration is not valid', errors: [{ pointer: '/config/url', detail: 'is required' }] } });
    const got = await cli(['plugin', 'install', 'slack']);
    assert.equal(got.err, 'moonhook: the configuration is not valid\n  /config/url: is required\n');
    assert.equal(got.out, '');
    assert.equal(got.code, 1);
  });

  test('an answer that is no JSON is told, whatever its status', async () => {
    answer = () => ({ status: 502, raw: '<html>' });
    const got = await cli(['key', 'list']);
    assert.match(got.err, /answered status 502/);
    assert.equal(got.code, 1);
  });

  test('--json prints the answer as it came', async () => {
    answer = () => ({ raw: '{"items": [], "next": null}' });
    const got = await cli(['webhook', 'list', '--json']);
    assert.equal(got.out, '{"items": [], "next": null}\n');
  });

  test('lists are aligned columns', async () => {
    answer = () => ({ json: { items: [
      { id: 'wh_1', url: 'https://a', events: ['alert', 'error'], active: true, org_id: 'ümlaut' },
      { id: 'wh_22', url: 'https://b', events: ['*'], active: false, org_id: 'o' }], next: 'c' } });
    const got = await cli(['webhook', 'list']);
    assert.equal(got.out, [
      'ID     ACTIVE  EVENTS       ORG     URL        DESCRIPTION',
      'wh_1   yes     alert,error  ümlaut  https://a  -',
      'wh_22  no      *            o       https://b  -',
      '... and more', ''].join('\n'));
  });

  test('text from the other side does not steer the terminal', async () => {
    answer = () => ({ json: { items: [{ at: 't', level: 'info', message: '\u001b[2Jhi\nthere\u009b' }] } });
    const got = await cli(['plugin', 'logs', 'slack']);
    assert.equal(got.out, 't  info   ?[2Jhi?there?\n');
  });

  test('what is made once is shown with a word of warning', async () => {
    answer = () => ({ status: 201, json: { id: 'wh_1', url: 'https://a', secret: 'whsec_x' } });
    const got = await cli(['webhook', 'add', 'https://a']);
    assert.match(got.out, /secret +whsec_x\n.*not shown again/);
  });

  test('the results of the plugins follow an event that is waited for', async () => {
    answer = () => ({ json: { id: 'evt_1', deliveries: 2, results: [
      { plugin: 'slack', status: 'delivered', result: { sent: true }, duration_ms: 12 }] } });
    const got = await cli(['event', 'send', 'alert', '--wait']);
    assert.equal(got.out, 'evt_1  accepted, 2 deliveries\n'
      + 'PLUGIN  STATUS     MS  RESULT\nslack   delivered  12  {"sent":true}\n');
  });

  test('an event tells its whole story', async () => {
    answer = () => ({ json: { id: 'evt_1', event: 'alert', org_id: 'o', timestamp: 'T', data: { a: 1 },
      deliveries: [{ id: 'dlv_1', target: { kind: 'webhook', id: 'wh_1' }, status: 'retrying',
        next_attempt_at: 'T2', attempts: [{ number: 1, started_at: 'T1', duration_ms: 3.25, status: 'failed',
          request: { url: 'https://a' }, response: { status: 500, body: 'no' },
          error: { code: 'status', message: 'it answered 500' },
          logs: [{ level: 'warn', message: 'hm' }] }] }] } });
    const got = await cli(['event', 'show', 'evt_1']);
    assert.match(got.out, /^event +evt_1\ntype +alert\n/);
    for (const part of ['webhook wh_1  retrying  dlv_1', 'attempt 1  failed  3.2 ms  T1', 'response  500',
                        'error     status: it answered 500', 'warn      hm', 'next attempt at T2'])
      assert.ok(got.out.includes(part), `${part} in\n${got.out}`);
  });

  test('a batch goes in portions of 1000, and each refusal names its line', async () => {
    const file = join(dir, 'batch.ndjson');
    const lines = Array.from({ length: 1500 }, (_, i) => JSON.stringify({ event: 'alert', data: { i } }));
    writeFileSync(file, `\n${lines.join('\n')}`);
    answer = (n) => ({ json: { items: n === 0 ? Array(1000).fill({ id: 'e', deliveries: 0 })
      : [{ error: { detail: 'too odd' } }, ...Array(499).fill({ id: 'e', deliveries: 0 })] } });
    const got = await cli(['event', 'send', '--batch', `@${file}`]);
    assert.deepEqual(asked.map(({ body }) => body.trimEnd().split('\n').length), [1000, 500]);
    assert.equal(asked[0].type, 'application/x-ndjson');
    assert.equal(got.out, '1499 accepted, 1 refused\n');
    assert.equal(got.err, 'line 1002: too odd\n');
    assert.equal(got.code, 1);
  });

  test('a new plugin is a folder with a plugin and a page about it', async () => {
    const folder = join(dir, 'my-plugin');
    const got = await run(['plugin', 'new', folder]);
    assert.equal(got.code, 0);
    assert.match(readFileSync(join(folder, 'plugin.lua'), 'utf8'), /name = "my-plugin"/);
    assert.match(readFileSync(join(folder, 'README.md'), 'utf8'), /^# my-plugin\n/);
    const again = await run(['plugin', 'new', folder]);
    assert.match(again.err, /cannot be made: File exists/);
    const bad = await run(['plugin', 'new', join(dir, 'My Plugin')]);
    assert.equal(bad.code, 2);
  });
});

describe('moonhook listen', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const body = '{"id":"evt_1","event":"alert","data":{"title":"Disk full"}}';
  const hex = (text) => createHmac('sha256', secret).update(text).digest('hex');
  let child;
  afterEach(() => child?.kill('SIGKILL'));

  // Starts a listener: its address, and its further lines one by one.
  async function listen(...args) {
    child = start(['listen', ...args]);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = (await lines.next()).value;
    assert.match(first, /^listening http:\/\/127\.0\.0\.1:\d+$/);
    return { url: first.slice('listening '.length), next: async () => (await lines.next()).value };
  }

  // The listener's exit code, after `signal` where one is given.
  async function ended(signal) {
    if (signal) child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode;
  }

  function signed(library, { id = 'evt_1', at = new Date(), sent = body } = {}) {
    return {
      'x-mission-control-event': 'alert', 'x-mission-control-signature': hex(sent),
      'webhook-id': id, 'webhook-timestamp': String(Math.floor(at / 1000)),
      'webhook-signature': new library(secret).sign(id, at, sent),
    };
  }

  const post = (url, headers, sent = body) => fetch(url, { method: 'POST', headers, body: sent });

  for (const [name, library] of [['standardwebhooks', Webhook], ['svix', SvixWebhook]])
    test(`it verifies what ${name} signed, prints it and ends after --count`, async () => {
      const l = await listen('--secret', secret, '--json', '--count', '1', '--name', 'here');
      assert.equal((await post(l.url, signed(library))).status, 200);
      assert.deepEqual(JSON.parse(await l.next()), {
        name: 'here', method: 'POST', path: '/', event: 'alert', id: 'evt_1', status: 200,
        verified: true,
        signatures: { 'webhook-signature': 'verified', 'x-mission-control-signature': 'verified' },
        body: JSON.parse(body),
      });
      assert.equal(await ended(), 0);
    });

  const bad = [
    ['a changed body', signed(Webhook), body.replace('full', 'empty'),
      'webhook-signature does not match', 'X-Mission-Control-Signature does not match'],
    ['a missing webhook-id', { ...signed(Webhook), 'webhook-id': undefined }, body,
      'the header webhook-id is missing', 'verified'],
    ['an empty v1', { ...signed(Webhook), 'webhook-signature': 'v1,' }, body,
      'webhook-signature does not match', 'verified'],
    ['no second signature', { ...signed(Webhook), 'x-mission-control-signature': undefined }, body,
      'verified', 'the header X-Mission-Control-Signature is missing'],
    ['an id with a dot', signed(Webhook, { id: 'a.b' }), body,
      'webhook-id holds what an id must not', 'verified'],
    ['a timestamp that is no number', { ...signed(Webhook), 'webhook-timestamp': '-1' }, body,
      'webhook-timestamp is not a number of seconds', 'verified'],
  ];
  for (const [name, headers, sent, standard, own] of bad)
    test(`${name} is answered 401 and said`, async () => {
      const l = await listen('--secret', secret, '--json', '--count', '1');
      const given = Object.fromEntries(Object.entries(headers).filter(([, v]) => v !== undefined));
      assert.equal((await post(l.url, given, sent)).status, 401);
      const line = JSON.parse(await l.next());
      assert.equal(line.verified, false);
      assert.deepEqual(line.signatures,
        { 'webhook-signature': standard, 'x-mission-control-signature': own });
      assert.equal(await ended('SIGTERM'), 1);
    });

  // Signed with the private half of `pair` as Standard Webhooks says.
  function signedByKey(pair) {
    const headers = signed(Webhook);
    const sent = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    const mac = sign(null, Buffer.from(sent), pair.privateKey).toString('base64');
    return { ...headers, 'webhook-signature': `v1,AAAA v1a,${mac}` };
  }

  test('a public key verifies v1a signatures, and refuses those of another key', async () => {
    const pair = generateKeyPairSync('ed25519');
    const raw = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const l = await listen('--public-key', `whpk_${raw.toString('base64')}`, '--json', '--count', '1');
    assert.equal((await post(l.url, signedByKey(generateKeyPairSync('ed25519')))).status, 401);
    assert.deepEqual(JSON.parse(await l.next()).signatures,
      { 'webhook-signature-v1a': 'webhook-signature does not match by the public key (v1a)' });
    assert.equal((await post(l.url, signedByKey(pair))).status, 200);
    assert.deepEqual(JSON.parse(await l.next()).signatures, { 'webhook-signature-v1a': 'verified' });
    assert.equal(await ended(), 0);
  });

  test('what is no public key is refused, with what one looks like', async () => {
    const got = await run(['listen', '--public-key', 'whpk_short']);
    assert.deepEqual([got.code, got.out], [2, '']);
    assert.match(got.err, /whpk_/);
  });

  test('a timestamp ten minutes old is refused', async () => {
    const l = await listen('--secret', secret);
    const old = new Date(Date.now() - 600000);
    assert.equal((await post(l.url, signed(Webhook, { at: old }))).status, 401);
    await l.next();
    assert.match(await l.next(), /signature refused: webhook-timestamp is 60\d s off, more than 300/);
    await ended('SIGTERM');
  });

  test('several signatures, one of an unknown version, still verify', async () => {
    const l = await listen('--secret', secret, '--json');
    const headers = signed(Webhook);
    headers['webhook-signature'] = `v9,abc v1,AAAA ${headers['webhook-signature']}`;
    assert.equal((await post(l.url, headers)).status, 200);
    await ended('SIGTERM');
  });

  test('people read the verdict and the body', async () => {
    const l = await listen('--secret', secret, '--name', 'hook');
    await post(`${l.url}/path`, signed(Webhook));
    assert.equal(await l.next(), '[hook] POST /path alert evt_1');
    assert.match(await l.next(), /^ {2}signature verified \(webhook-signature v1 and X-Mission/);
    assert.equal(await l.next(), '  {');
    assert.equal(await l.next(), '    "id": "evt_1",');
    assert.equal(await ended('SIGINT'), 0);
  });

  test('without a secret a Slack message is answered ok and shown', async () => {
    const l = await listen();
    const message = { channel: '#a', text: 'hello', attachments: [{ color: 'danger', title: 'Disk' }] };
    const res = await post(l.url, { 'content-type': 'application/json' }, JSON.stringify(message));
    assert.deepEqual([res.status, await res.text()], [200, 'ok']);
    const lines = [];
    for (let i = 0; i < 5; i++) lines.push(await l.next());
    assert.deepEqual(lines,
      ['POST /', '  channel #a', '  text    hello', '  colour  danger', '  title   Disk']);
    await ended('SIGTERM');
  });

  test('it answers with the status that it is told', async () => {
    const l = await listen('--status', '503');
    assert.equal((await post(l.url, {})).status, 503);
    await ended('SIGTERM');
  });

  test('the secret may come on standard input, after the address', async () => {
    const l = await listen('--secret', '-', '--json');
    child.stdin.write(`${secret}\n`);
    assert.equal((await post(l.url, signed(Webhook))).status, 200);
    await ended('SIGTERM');
  });

  test('a secret that is none is refused before anything else', async () => {
    const got = await run(['listen', '--secret', 'whsec_short']);
    assert.match(got.err, /--secret takes "whsec_" and base64/);
    assert.equal(got.code, 2);
  });
});
