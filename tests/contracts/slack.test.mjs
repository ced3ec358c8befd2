// slack.test.mjs - the slack plugin against Slack's own contract, played by the shared
// folder's contractd: every message that it sends must be one that the contract allows.
//
// The services' contracts are not part of the project; without the shared folder beside
// it (or where MH_SHARED says) the test is skipped, and says so.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Engine, folder } from '../integration/lib/engine.mjs';
import { resultOf } from '../integration/lib/plugins.mjs';
import { freePort } from '../integration/lib/port.mjs';
import { within } from '../integration/lib/wait.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const contracts = join(process.env.MH_SHARED ?? join(root, '..', 'shared'), 'contracts');
const skip = !existsSync(join(contracts, 'contractd.mjs')) && `SKIPPED: there is no ${contracts}`;
if (skip) console.error(`tests/contracts/slack.test.mjs ${skip}; nothing was held against Slack's contract`);

const samples = readFileSync(new URL('../integration/data/samples.ndjson', import.meta.url), 'utf8')
  .trim().split('\n').map((line) => JSON.parse(line));

const INSTALL_MS = 120_000;
const HOOKS = new Set(['alert', 'anomaly_detected', 'sla_breach', 'error']);

describe("the slack plugin keeps to Slack's contract", { skip }, () => {
  const engine = new Engine({ flags: ['--plugin-retry-schedule', '0s'] });
  let contractd, url;

  before(async () => {
    const dir = folder('mh-contracts-');
    cpSync(contracts, dir, { recursive: true });
    await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', '--silent'],
                              { cwd: dir, timeout: INSTALL_MS });
    const port = await freePort();
    contractd = spawn(process.execPath, ['contractd.mjs', '--port', port, '--strict'],
                      { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'] });
    process.once('exit', () => contractd.kill('SIGKILL'));
    for (const handle of [contractd, contractd.stdout]) handle.unref();
    const [line] = await within(once(createInterface({ input: contractd.stdout }), 'line'), 'contractd');
    assert.match(line, /^contractd http.* strict$/);
    url = `http://127.0.0.1:${port}`;
    await engine.start();
    await engine.ok(200, engine.post('/api/plugins/install',
      { source: 'slack', config: { webhook_url: `${url}/slack-webhook/services/T000/B000/xyz`, channel: '#ops' } }));
  });
  after(async () => {
    await engine.stop();
    contractd.kill();
  });
  beforeEach(() => fetch(`${url}/__ctl/requests`, { method: 'DELETE' }).then((res) => res.text()));

  const requests = async () => (await fetch(`${url}/__ctl/requests?service=slack-webhook`)).json();

  async function assertTold(event, data) {
    const row = await resultOf(engine, 'slack', event, data);
    assert.deepEqual([row.status, row.result], ['delivered', { sent: true, channel: '#ops' }],
                     JSON.stringify(await requests()));
    const [message, ...more] = await requests();
    assert.deepEqual([message.operation, message.violations, message.answered, more.length],
                     ['incomingWebhook', [], 200, 0]);
  }

  for (const { event, data } of samples.filter((s) => HOOKS.has(s.event)))
    test(`with ${event} ${data.id}`, () => assertTold(event, data));

  for (const { event, data } of samples.filter((s) => !HOOKS.has(s.event)))
    test(`and says nothing of ${event} ${data.id}`, async () => {
      assert.equal((await resultOf(engine, 'slack', event, data)).status, undefined);
      assert.deepEqual(await requests(), []);
    });

  test('with an alert of which everything is too long or odd', () => assertTold('alert', {
    title: '<!channel> & 日本語 🌙 '.repeat(1000), description: 'é'.repeat(100_000), severity: 'unheard-of',
    status: 7, url: 'javascript:alert(1)', started_at: 'yesterday',
    labels: Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`label-${n}`, 'x'.repeat(500)])),
  }));

  test('with an alert that says nothing', () => assertTold('alert', {}));
});
