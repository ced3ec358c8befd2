// scripts.test.mjs - installs each script of scripts/ as a plugin, asks its hook, and holds
// what came of it against the script's head. README.md has the language of the heads, what
// is checked besides, and within which bounds. One line is printed for each attack:
//
//   hostile  loop_pattern  timeout  killed  302 ms  neighbour p99 6.1 -> 7.9 ms
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Engine, folder } from '../integration/lib/engine.mjs';
import { installed } from '../integration/lib/plugins.mjs';
import { Receiver } from '../integration/lib/receiver.mjs';
import { eventually } from '../integration/lib/wait.mjs';
import { Neighbour, percentile } from './lib/neighbour.mjs';
import { childrenOf, residentMib } from './lib/process.mjs';
import { readScript } from './lib/script.mjs';

// The bounds, and what a shared machine may add to them (README.md, "Bounds").
const GRACE_MS = 50, DEADLINE_NOISE_MS = 100;
const SHARE = 1.1, P99_NOISE_MS = 200, P99_NOISE_ALL_MS = 50;
const GROWTH_MIB = 64;
const MOST_WARNINGS = 20;               // in the engine's log, besides two for each alert

const WARMING_MS = 1000;
const WATCH_MS = 20;                    // between two looks at the engine's memory
const QUIET_MS = 120;                   // without an attack, before each one
const TRIES = 3;                        // at a traceback, see missed()
const REFUSALS = [400, 403, 409, 422];
const SECRET = 'hunter2-that-no-plugin-sees';
const FORGED = /[\0-\x08\x0b-\x1f\x7f]|^level=error/;

const SCRIPTS = join(import.meta.dirname, 'scripts');
const scripts = readdirSync(SCRIPTS).filter((file) => file.endsWith('.lua')).sort()
  .map((file) => readScript(join(SCRIPTS, file)));

// The next attempt is an hour away, so that an attack runs when it is asked to. ASan keeps
// freed memory for a while; that is no growth of the engine's.
const engine = new Engine({
  loopback: false,
  flags: ['--allow-private', '127.0.0.2/32', '--plugin-retry-schedule', '0s,1h,1h,1h',
          '--redis-fsync', 'everysec', '--log-level', 'debug'],
  env: { ASAN_OPTIONS: 'quarantine_size_mb=4' },
});
const neighbour = new Neighbour(engine);
const open = new Receiver();            // plugins may be permitted to reach it
const closed = new Receiver();          // nobody may: 127.0.0.1 is private and not allowed
const plugins = folder('mh-hostile-');

// Words in a script that stand for what is known only now.
const WORDS = { OPEN_PORT: () => open.port, CLOSED_PORT: () => closed.port };

const LARGE = Buffer.alloc(2e6, 'x');
const BOMB = gzipSync(Buffer.alloc(40 << 20));
const MANY_HEADERS = Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [`x-${i}`, 'x'.repeat(20)]));

// What the open receiver answers, by path.
const ANSWERS = {
  '/redirect': () => ({ status: 302, headers: { location: `${closed.url}/redirected` } }),
  '/echo': ({ headers, body }) => ({ body: JSON.stringify({ headers, body }) }),
  '/hang': () => ({ hang: true }),
  '/large': () => ({ body: LARGE }),
  '/drip': () => ({ headers: { 'content-length': 2e6 }, body: LARGE.subarray(0, 19e5) }),
  '/bomb': () => ({ headers: { 'content-encoding': 'gzip' }, body: BOMB }),
  '/headers': () => ({ headers: MANY_HEADERS }),
};

const quiet = [], attacked = [];        // the neighbour's times without and with an attack
let first;                              // how the engine was before the first attack
let watch;
let most = 0;                           // MiB that the engine ever had in memory
let linesSeen = 0;

before(async () => {
  open.answer = (request) => ANSWERS[request.url]?.(request) ?? {};
  await Promise.all([engine.start(), open.start('127.0.0.2'), closed.start()]);
  await neighbour.start();
  await sleep(WARMING_MS);
  first = { pid: engine.pid, mib: residentMib(engine.pid), children: childrenOf(engine.pid) };
  watch = setInterval(() => { most = Math.max(most, residentMib(first.pid)); }, WATCH_MS);
});
after(async () => {
  clearInterval(watch);
  await neighbour.stop();
  await Promise.all([engine.stop(), open.stop(), closed.stop()]);
});

const show = (value) => process.env.HOSTILE_SHOW && console.log(JSON.stringify(value));

/* ---- One attack --------------------------------------------------------------------- */

function install(script, name = script.name) {
  let source = script.source.replace(`"${script.name}"`, `"${name}"`);
  for (const [word, value] of Object.entries(WORDS)) source = source.replaceAll(word, value());
  const path = join(plugins, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'plugin.lua'), source);
  return engine.post('/api/plugins/install', { source: `file:${path}`, config: script.config });
}

const uninstall = (name) => engine.delete(`/api/plugins/${name}`);
const pidOf = async (name) => (await installed(engine, name)).metrics.pid;

async function record(event, name) {
  return eventually(async () => {
    const { deliveries } = await engine.ok(200, engine.get(`/api/events/${event}`));
    const found = deliveries.find(({ target }) => target.id === name);
    return found?.attempts.length > 0 && found;
  }, `the record of ${name}`);
}

// Sends an alert and waits for the hook: the record of its attempt; undefined when the
// plugin was not called.
async function ask(name) {
  const got = await engine.ok(200, engine.post('/api/events?wait=15000', { event: 'alert', data: {} }));
  if (!got.results.some(({ plugin }) => plugin === name)) return undefined;
  const { id, attempts } = await record(got.id, name);
  show(attempts.at(-1));
  return { delivery: encodeURIComponent(id), ...attempts.at(-1) };
}

// So many at once. All are judged, and one is given.
async function askTogether(script) {
  const all = await Promise.all(Array.from({ length: script.together }, () => ask(script.name)));
  for (const attempt of all.slice(1)) await judges[script.expect.kind](script, attempt);
  return all[0];
}

// What the same script returns as another plugin.
async function resultOfTwin(script) {
  const name = `${script.name}-twin`;
  await engine.ok(200, install(script, name));
  const { result } = await ask(name);
  await engine.ok(200, uninstall(name));
  return result;
}

// The limit that an error with this code must name, beside plugin, hook and event; of the code
// "limit" it is the one that the script names.
const LIMIT_OF = { timeout: 'timeout_ms', cpu_time: 'cpu_ms', memory: 'memory_mb' };

const judges = {
  error({ name, expect, trace, limit }, attempt) {
    const { status, error } = attempt;
    assert.equal(status, 'failed', JSON.stringify(attempt));
    assert.ok(expect.codes.includes(error.code), JSON.stringify(error));
    assert.match(error.message, expect.pattern);
    if (trace) assert.match(error.trace ?? '', trace);
    if (error.code in LIMIT_OF || error.code === 'limit') {
      assert.deepEqual([error.limit, error.plugin, error.hook],
                       [LIMIT_OF[error.code] ?? limit, name, 'on_alert']);
      assert.match(error.event, /^evt_/);
    }
    return error.code;
  },
  result({ expect }, attempt) {
    assert.equal(attempt.status, 'delivered', JSON.stringify(attempt));
    assert.deepEqual(attempt.result, expect.result);
    return 'harmless';
  },
  async twins(script, { result }) {
    assert.ok(result);
    assert.notDeepEqual(await resultOfTwin(script), result);
    return 'different';
  },
  nothing(_, attempt) {
    assert.equal(attempt, undefined, 'the hook was called');
    return 'not called';
  },
};

// A hook that ran on is dead within its deadline and a grace, by the engine's own clock.
function checkDeadline({ source }, { error, duration_ms: took }) {
  if (error?.code !== 'timeout') return;
  const deadline = Number(/timeout_ms = (\d+)/.exec(source)[1]);
  assert.ok(took <= deadline + GRACE_MS + DEADLINE_NOISE_MS, `${took} ms with a deadline of ${deadline}`);
}

// The second time that an event kills its process is the last, whatever the schedule says.
async function checkDead({ name }, { delivery }) {
  await engine.ok(202, engine.post(`/api/deliveries/${delivery}/retry`));
  await eventually(async () => {
    const { status } = await engine.ok(200, engine.get(`/api/deliveries/${delivery}`));
    return status === 'dead';
  }, `${name} among the dead letters`);
}

async function checkTold(script, attempt) {
  if (script.limit) assert.ok(attempt.limits_reached?.includes(script.limit), JSON.stringify(attempt));
  const { text } = await engine.get(`/api/plugins/${script.name}/logs`);
  assert.ok(!(text + JSON.stringify(attempt ?? '')).includes(SECRET), 'the secret got out');
  const lines = attempt?.logs?.length ?? 0;
  if (script.logs !== undefined) assert.ok(lines <= script.logs, `${lines} lines in the record`);
}

// The interpreter has a twentieth of its time to tell where it was; on a machine that gave
// it no turn within that, the engine's deadline was first.
const missed = ({ trace }, { error }) => trace && error?.code === 'timeout' && !error.trace;

async function provoke(script) {
  for (let tries = 1; ; tries++) {
    const pid = await pidOf(script.name);
    let attempt;
    for (let i = 0; i < script.asked; i++) attempt = await askTogether(script);
    if (attempt && script.together === 1) checkDeadline(script, attempt);
    if (!attempt || tries === TRIES || !missed(script, attempt)) return { pid, attempt };
  }
}

async function attackInstalled(script) {
  const { pid, attempt } = await provoke(script);
  const came = await judges[script.expect.kind](script, attempt);
  await checkTold(script, attempt);
  const lives = await pidOf(script.name) === pid;
  if (script.lives !== undefined) assert.equal(lives, script.lives, 'the plugin\'s process lives');
  if (script.dead) await checkDead(script, attempt);
  return [came, lives ? 'lives' : 'killed', `${Math.round(attempt?.duration_ms ?? 0)} ms`];
}

async function attack(script) {
  const began = performance.now();
  const answer = await install(script);
  if (script.expect.kind !== 'install') {
    await engine.ok(200, answer);
    return attackInstalled(script).finally(() => uninstall(script.name));
  }
  show(answer.json);
  assert.ok(REFUSALS.includes(answer.status), answer.text);
  assert.match(answer.json.detail, script.expect.pattern);
  return ['refused', 'at install', `${Math.round(performance.now() - began)} ms`];
}

/* ---- What no attack may move ---------------------------------------------------------- */

function checkReceivers(script) {
  assert.deepEqual(closed.requests, [], 'what no plugin may reach was reached');
  if (script.open !== undefined) assert.equal(open.requests.length, script.open, 'requests received');
}

function checkLog({ together }) {
  const lines = engine.lines.slice(linesSeen);
  linesSeen = engine.lines.length;
  const forged = lines.find((line) => FORGED.test(line) || line.includes(SECRET));
  assert.equal(forged, undefined, 'a line of the engine\'s log that a plugin wrote');
  const warnings = lines.filter((line) => / level=(warn|error) /.test(line)).length;
  assert.ok(warnings < MOST_WARNINGS + 2 * together, `${warnings} warnings in the engine's log`);
}

async function checkEngine() {
  assert.equal(engine.pid, first.pid);
  const growth = most - first.mib;
  assert.ok(growth <= GROWTH_MIB, `the engine grew by ${growth.toFixed(1)} MiB`);
  await eventually(() => String(childrenOf(engine.pid)) === String(first.children),
                   'no process of an attack is left');
}

// The 99th percentiles in words, and whether the second is no worse than by the noise.
function compare(before_, now, noise) {
  const [calm, under] = [before_, now].map((times) => percentile(times, 0.99));
  return { words: `neighbour p99 ${calm.toFixed(1)} -> ${under.toFixed(1)} ms`,
           fine: under <= Math.max(calm * SHARE, calm + noise) };
}

// What an attack does to the neighbour it does every time; what the machine does, not.
async function attackBeside(script) {
  for (let tries = 1; ; tries++) {
    open.requests.length = 0;
    const { value, samples } = await neighbour.during(() => attack(script));
    attacked.push(...samples);
    checkReceivers(script);
    checkLog(script);
    const { words, fine } = compare(quiet, samples, Math.max(P99_NOISE_MS, ...quiet));
    if (fine) return [...value, words];
    assert.ok(tries < TRIES, `${words}, ${tries} times`);
  }
}

describe('hostile', () => {
  for (const script of scripts)
    test(`${script.file}: ${script.tries}`, async () => {
      const calm = await neighbour.during(() => sleep(QUIET_MS));
      quiet.push(...calm.samples);
      const told = await attackBeside(script);
      await checkEngine();
      console.log(['hostile', script.file, ...told].join('  '));
    });

  test('all of them together move neither the neighbour nor the engine', async () => {
    await checkEngine();
    const { words, fine } = compare(quiet, attacked, P99_NOISE_ALL_MS);
    assert.ok(fine, words);
    const grown = [most, residentMib(engine.pid)].map((mib) => (mib - first.mib).toFixed(1));
    console.log(`hostile  ${scripts.length} attacks  ${words}  engine +${grown[1]} MiB, at most +${grown[0]} MiB`);
  });
});
