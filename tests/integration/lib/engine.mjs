// engine.mjs - the real engine for a test: started in a folder of its own on a port that
// the kernel chooses, spoken to over REST, ended on every way out.
//
// Nothing here keeps a test file alive whose tests have ended, also by failing: what they
// left behind is removed when the file's process ends. stop() fails when the engine ended
// otherwise than in order or a sanitizer complained; when the test file fails, the last
// lines of each engine's log are shown.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Arrivals, eventually, PATIENCE_MS, within } from './wait.mjs';

export const build = process.env.MH_BUILD ?? 'build-test';
const SANITIZER = /(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:/;
const STARTING_MS = 40_000;
const LAST_WORDS_MS = 500;
const SHOWN_LINES = 60;

// Ours, without settings of moonhook's.
export const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('MOONHOOK_')));

// Without a sandbox program the engine serves all but plugins.
const sandbox = existsSync(join(build, 'moonhook-sandbox')) ? [] : ['--sandbox', '/bin/true'];
const LOOPBACK = ['--allow-private', '127.0.0.0/8'];

const engines = new Set(), folders = [];

function killQuietly(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch { /* it is gone */ }
}

process.on('exit', (code) => {
  for (const engine of engines) {
    if (code !== 0) engine.show();
    engine.remove();
  }
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

// A temporary folder that goes away with the process.
export function folder(prefix = 'mh-test-') {
  const dir = mkdtempSync(join(tmpdir(), prefix));
  folders.push(dir);
  return dir;
}

// Calls of one key. Each gives { status, headers, text, json }.
export class Client {
  constructor(engine, key) {
    this.engine = engine;
    this.ownKey = key;
  }

  async send(method, path, { body, type = 'application/json', headers = {}, ms = PATIENCE_MS } = {}) {
    const key = this.ownKey ?? this.engine.key;
    const res = await fetch(this.engine.url + path, {
      method, body, redirect: 'manual', signal: AbortSignal.timeout(ms),
      headers: { ...(key && { authorization: `Bearer ${key}` }),
                 ...(body !== undefined && { 'content-type': type }),
                 // Where the test moves the clock, a kept connection may be past its idle time.
                 ...(this.engine.env.FAKE_CLOCK && { connection: 'close' }), ...headers },
    });
    const text = await res.text();
    const isJson = /json/.test(res.headers.get('content-type') ?? '');
    return { status: res.status, headers: res.headers, text,
             json: isJson && text ? JSON.parse(text) : undefined };
  }

  get(path) { return this.send('GET', path); }
  delete(path) { return this.send('DELETE', path); }
  post(path, value) { return this.send('POST', path, { body: JSON.stringify(value ?? {}) }); }
  put(path, value) { return this.send('PUT', path, { body: JSON.stringify(value) }); }
  patch(path, value) { return this.send('PATCH', path, { body: JSON.stringify(value) }); }

  // The answer's JSON; an error with the answer when its status is another.
  async ok(status, answer) {
    const got = await answer;
    assert.equal(got.status, status, `status ${got.status}: ${got.text}`);
    return got.json;
  }

  event(type, data = {}, more = {}) {
    return this.ok(202, this.post('/api/events', { event: type, data, ...more }));
  }

  webhook(url, more = {}) {
    return this.ok(201, this.post('/api/webhooks', { url, ...more }));
  }

  // The value of a metric; `labels` as the page writes them.
  async metric(name, labels = '') {
    const { text } = await this.get('/metrics');
    const line = text.split('\n').find((l) => l.startsWith(`${name}${labels} `));
    return line && Number(line.split(' ').at(-1));
  }
}

export class Engine extends Client {
  #log = new Arrivals();
  #child = null;
  #earlier = [];                        // lines of processes before this one

  // Receivers on loopback may be reached unless `loopback` is false.
  constructor({ flags = [], data = folder(), env = {}, loopback = true } = {}) {
    super(null);
    this.engine = this;
    this.flags = [...sandbox, ...(loopback ? LOOPBACK : []), ...flags];
    this.data = data;
    this.env = env;
    engines.add(this);
  }

  get pid() { return this.#child?.pid; }
  get lines() { return this.#log.items; }

  client(key) { return new Client(this, key); }

  // Serves when this returns. After kill() or stop() it starts over the same data.
  async start() {
    assert.equal(this.#child, null, 'the engine runs already');
    this.#earlier.push(...this.lines);
    this.#log = new Arrivals();
    const log = this.#log;
    const child = spawn(join(build, 'moonhook'),
      ['serve', '--listen', '127.0.0.1:0', '--data', this.data, ...this.flags],
      { env: { ...environment, ...this.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const handle of [child, child.stdout, child.stderr]) handle.unref();
    createInterface({ input: child.stderr }).on('line', (line) => log.add(line));
    const first = once(createInterface({ input: child.stdout }), 'line');
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`the engine ended (${signal ?? code}) before it was ready`);
    });
    ended.catch(() => {});
    const [line] = await within(Promise.race([first, ended]), 'the line "ready"', STARTING_MS);
    assert.match(line, /^ready https?:\/\/127\.0\.0\.1:\d+$/);
    this.url = line.slice('ready '.length);
    this.key = readFileSync(join(this.data, 'admin.token'), 'utf8').trim();
    return this;
  }

  // The first line of the log that matches, now or when it comes.
  logged(pattern, ms) {
    return this.#log.until((lines) => lines.find((l) => pattern.test(l)),
                           `a log line ${pattern}`, ms);
  }

  #running() {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  // Ends it in order and believes it only when nothing was wrong.
  async stop() {
    const child = this.#child;
    if (child === null) return;
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    if (this.#running()) await within(once(child, 'exit'), 'the end of the engine');
    // Its Redis has the same standard error: what an engine that fell leaves open.
    const inOrder = child.exitCode === 0;
    if (inOrder) await within(closed, 'the last lines of the engine');
    else await Promise.race([closed, sleep(LAST_WORDS_MS)]);
    this.remove();
    this.#child = null;
    this.check();
    assert.equal(child.signalCode ?? child.exitCode, 0, 'the engine ended in order');
  }

  // As a crash does: no process of it can say goodbye. Its Redis lives on.
  async kill() {
    const child = this.#child;
    assert.ok(this.#running(), `the engine had ended before (${child?.signalCode ?? child?.exitCode})`);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await within(gone, 'the end of the killed engine');
    this.#child = null;
    this.check();
  }

  check() {
    const all = [...this.#earlier, ...this.lines];
    const at = all.findIndex((line) => SANITIZER.test(line));
    assert.equal(at, -1, `a sanitizer complained:\n${all.slice(at, at + 40).join('\n')}`);
  }

  // No delivery is held any more: whatever a test sent has arrived and is written down.
  idle() {
    return eventually(async () => await this.metric('moonhook_deliveries_owned') === 0,
                      'an engine that holds no delivery');
  }

  // As if no test had been before: no webhook, nothing on its way to one.
  async forgetWebhooks() {
    for (const { id } of (await this.ok(200, this.get('/api/webhooks'))).items)
      await this.ok(200, this.delete(`/api/webhooks/${id}`));
    await this.idle();
  }

  // As if no plugin had been installed before.
  async forgetPlugins() {
    for (const { name } of (await this.get('/api/plugins/installed')).json)
      await this.ok(200, this.delete(`/api/plugins/${name}`));
  }

  // What redis-cli says of its managed Redis.
  redis(...args) {
    return execFileSync('redis-cli', ['-s', join(this.data, 'redis', 'redis.sock'), ...args],
                        { encoding: 'utf8', timeout: 5000 });
  }

  // The pid of its managed redis-server; undefined while there is none.
  redisPid() {
    try {
      const dir = join(this.data, 'redis');
      const pid = Number(readFileSync(join(dir, 'redis.pid'), 'utf8'));
      return readlinkSync(`/proc/${pid}/cwd`) === dir ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  show() {
    const shown = [...this.#earlier, ...this.lines].slice(-SHOWN_LINES);
    writeSync(2, `---- the engine's log (${this.data})\n${shown.join('\n')}\n----\n`);
  }

  // What is left of it, at once; for the way out.
  remove() {
    if (this.#running()) this.#child.kill('SIGKILL');
    const redis = this.redisPid();
    if (redis) killQuietly(redis);
  }
}

// An answer that is a problem (RFC 9457) and nothing else, with this pointer if one is given.
export function assertProblem(got, status, pointer) {
  assert.equal(got.status, status, got.text);
  assert.equal(got.headers.get('content-type'), 'application/problem+json', got.text);
  assert.equal(got.json.status, status);
  for (const field of ['type', 'title', 'code', 'detail'])
    assert.ok(got.json[field]?.length > 0, `${field} in ${got.text}`);
  if (pointer !== undefined)
    assert.deepEqual(got.json.errors?.map((e) => e.pointer), [pointer], got.text);
}
