// cli_webhook.test.mjs - `moonhook webhook ...` and `moonhook event show` as operators use
// them, against the real engine.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runAt } from './lib/cli.mjs';
import { Engine, folder } from './lib/engine.mjs';

const HOOK = 'http://127.0.0.1:9/hook';
const CRITICAL = '[{"pointer":"/data/severity","op":"in","value":["critical","error"]}]';
const engine = new Engine({ flags: ['--retry-schedule', '0s,1h', '--webhook-timeout', '15s'] });
before(() => engine.start());
after(() => engine.stop());

// What a command prints when all is well.
async function says(...args) {
  const got = await runAt(engine, args);
  assert.equal(got.err, '');
  assert.equal(got.code, 0);
  return got.out;
}

// The endpoint that `webhook add` with these options makes, as REST shows it.
async function added(...options) {
  const { id } = JSON.parse(await says('webhook', 'add', HOOK, '--json', ...options));
  return engine.ok(200, engine.get(`/api/webhooks/${id}`));
}

describe('webhook add and update', () => {
  const cases = [
    ['--events', 'alert,sla_*', 'events', ['alert', 'sla_*']],
    ['--filter', CRITICAL, 'filter', JSON.parse(CRITICAL)],
    ['--description', 'the pager', 'description', 'the pager'],
    ['--header', 'X-Team=ops', 'headers', { 'X-Team': '***' }],
    ['--schedule', '0s,1h', 'retry_schedule', '0s,1h'],
    ['--timeout', '5s', 'timeout_ms', 5000],
    ['--concurrency', '3', 'concurrency', 3],
    ['--rate-limit', '2.5', 'rate_limit', 2.5],
    ['--active', 'no', 'active', false],
  ];
  for (const [option, value, member, wanted] of cases)
    test(`${option} ${value} sets ${member}`, async () => {
      assert.deepEqual((await added(option, value))[member], wanted);
      const { id } = await added();
      await says('webhook', 'update', id, option, value);
      assert.deepEqual((await engine.get(`/api/webhooks/${id}`)).json[member], wanted);
    });

  for (const [option, member, word] of [['schedule', 'retry_schedule', 'default'], ['timeout', 'timeout_ms', 'default'],
    ['concurrency', 'concurrency', 'default'], ['rate-limit', 'rate_limit', 'none']])
    test(`--${option} ${word} gives it back to the server`, async () => {
      const { id } = await added('--schedule', '0s', '--timeout', '1s', '--concurrency', '1', '--rate-limit', '1');
      await says('webhook', 'update', id, `--${option}`, word);
      assert.equal((await engine.get(`/api/webhooks/${id}`)).json[member], null);
    });

  test('an update leaves alone what is not named', async () => {
    const before = await added('--filter', CRITICAL, '--header', 'A=1', '--header', 'B=2', '--timeout', '5s');
    await says('webhook', 'update', before.id, '--description', 'renamed');
    assert.deepEqual((await engine.get(`/api/webhooks/${before.id}`)).json, { ...before, description: 'renamed' });
  });

  test('--to moves an endpoint, --no-headers and --filter [] take away', async () => {
    const { id } = await added('--header', 'A=1', '--filter', CRITICAL);
    await says('webhook', 'update', id, '--to', `${HOOK}/2`, '--no-headers', '--filter', '[]');
    const { url, headers, filter } = (await engine.get(`/api/webhooks/${id}`)).json;
    assert.deepEqual([url, headers, filter], [`${HOOK}/2`, {}, []]);
  });

  test('--ed25519 makes a key and --ed25519=no destroys it', async () => {
    const { id, public_key: key } = await added('--ed25519');
    assert.match(key, /^whpk_/);
    await says('webhook', 'update', id, '--ed25519=no');
    assert.equal((await engine.get(`/api/webhooks/${id}`)).json.public_key, null);
  });

  test('a filter may stand in a file', async () => {
    const file = join(folder(), 'filter.json');
    writeFileSync(file, CRITICAL);
    assert.deepEqual((await added('--filter', `@${file}`)).filter, JSON.parse(CRITICAL));
  });

  test('webhook show tells the settings in words, and leaves out what there is not', async () => {
    const { id } = await added('--filter', CRITICAL, '--timeout', '5s');
    const out = await says('webhook', 'show', id);
    assert.match(out, /^filter +\/data\/severity in \["critical","error"\]$/m);
    assert.match(out, /^timeout ms +5000$/m);
    assert.doesNotMatch(out, /headers|description|rate limit|secret/);
  });

  const mistakes = [
    [[], 2, /nothing is to be changed.*update --help/],
    [['--timeout', '5parsecs'], 2, /--timeout is a time such as 10s/],
    [['--timeout', '99m'], 1, /\/timeout_ms: must be 100 to 15000/],
    [['--concurrency', 'many'], 2, /--concurrency is a whole number/],
    [['--rate-limit', 'fast'], 2, /--rate-limit is a number of attempts a second/],
    [['--active', 'perhaps'], 2, /--active is yes or no, not "perhaps"/],
    [['--header', 'Host'], 2, /--header is NAME=VALUE/],
    [['--header', 'Host=a'], 1, /\/headers\/Host: .*moonhook sets itself/],
    [['--filter', '{}'], 2, /--filter takes a list of conditions, such as/],
    [['--filter', '{oops'], 1, /the filter is not JSON/],
    [['--filter', '[{"pointer":"data","op":"eq","value":1}]'], 1, /\/filter\/0\/pointer: must be a JSON pointer/],
    [['--schedule', 'often'], 1, /\/retry_schedule: must be up to/],
    [['--to', 'ftp://x'], 1, /\/url: the URL must start with/],
  ];
  for (const [options, code, said] of mistakes)
    test(`update ${options.join(' ') || 'without an option'} is told what to do, and changes nothing`, async () => {
      const before = await added();
      const got = await runAt(engine, ['webhook', 'update', before.id, ...options]);
      assert.match(got.err, said);
      assert.equal(got.code, code);
      assert.deepEqual((await engine.get(`/api/webhooks/${before.id}`)).json, before);
    });
});

describe('webhook filter-test', () => {
  const org = 'default';
  let id, sent;
  before(async () => {
    await engine.forgetWebhooks();
    ({ id } = await added('--events', 'alert', '--filter', CRITICAL));
    sent = [];
    for (const [type, severity] of [['alert', 'critical'], ['alert', 'info'], ['login', 'critical']])
      sent.push((await engine.event(type, { severity }, { org_id: org })).id);
  });

  test('judges the newest events where none is named', async () => {
    const lines = (await says('webhook', 'filter-test', id)).split('\n');
    assert.match(lines[1], new RegExp(`^no +login +${sent[2]} +none of its event patterns matches the type "login"$`));
    assert.match(lines[2], new RegExp(`^no +alert +${sent[1]} +/data/severity is "info", which is not one of`));
    assert.match(lines[3], new RegExp(`^yes +alert +${sent[0]} +-$`));
    assert.equal(lines[4], '1 of 3 would go to it');
  });

  test('judges so many of the newest, or those that are named', async () => {
    assert.match(await says('webhook', 'filter-test', id, '--newest', '2'), /\n0 of 2 would go to it\n$/);
    assert.match(await says('webhook', 'filter-test', id, sent[0], sent[2]), /\n1 of 2 would go to it\n$/);
    assert.match(await says('webhook', 'filter-test', id, 'evt_none'), /no event of this id is stored/);
  });

  test('tries another filter and other types without changing the endpoint', async () => {
    const earlier = (await engine.get(`/api/webhooks/${id}`)).json;
    assert.match(await says('webhook', 'filter-test', id, '--filter', '[]'), /\n2 of 3 would go to it\n$/);
    assert.match(await says('webhook', 'filter-test', id, '--filter', '[]', '--events', '*'), /\n3 of 3 would/);
    assert.deepEqual((await engine.get(`/api/webhooks/${id}`)).json, earlier);
  });

  test('judges an event of your own', async () => {
    const out = await says('webhook', 'filter-test', id, '--event', 'alert', '--data', '{"severity":"error"}');
    assert.match(out, /\n1 of 1 would go to it\n$/);
  });

  for (const [options, code, said] of [[['--newest', 'all'], 2, /--newest is how many events/],
    [['--newest', '0'], 1, /\/newest: must be 1 to 100/],
    [['--data', '{}'], 2, /--data is that of an event whose type --event TYPE names/]])
    test(`${options.join(' ')} is told what to do`, async () => {
      const got = await runAt(engine, ['webhook', 'filter-test', id, ...options]);
      assert.match(got.err, said);
      assert.equal(got.code, code);
    });
});

test('event show finds another org\'s event with --org', async () => {
  const { id } = await engine.event('alert', {}, { org_id: 'acme' });
  assert.match(await says('event', 'show', id, '--org', 'acme'), new RegExp(`^event +${id}$`, 'm'));
  const got = await runAt(engine, ['event', 'show', id]);
  assert.match(got.err, /no event .* is stored for org 'default'; org_id names another/);
});
