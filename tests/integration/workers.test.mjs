// workers.test.mjs - `serve --workers N`: several engines on one port, and what becomes of
// them when one dies, when their supervisor dies, and when they cannot start.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { assertProblem, build, Engine, folder } from './lib/engine.mjs';
import { Producer } from './lib/producer.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually, within } from './lib/wait.mjs';

const WORKERS = 3;
const FLAGS = ['--workers', String(WORKERS)];

// Pids of the workers that a supervisor has now.
function workersOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    .filter((child) => readFileSync(`/proc/${child}/comm`, 'utf8').trim() === 'moonhook').map(Number);
}

const gone = (pid) => !existsSync(`/proc/${pid}`)
  || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

describe('an engine of several workers', () => {
  const engine = new Engine({ flags: FLAGS });
  const receiver = new Receiver();
  before(async () => {
    await receiver.start();
    await engine.start();
  });
  after(async () => {
    await engine.stop();
    await receiver.stop();
  });

  test('says ready once, when each of them serves', () => {
    assert.equal(workersOf(engine.pid).length, WORKERS);
    assert.equal(engine.lines.filter((line) => /event=worker_serves/.test(line)).length, WORKERS);
  });

  test('gives events that one of them took and lost, when it was killed, to the others', async () => {
    await engine.webhook(receiver.url);
    const seen = await Promise.all(Array.from({ length: 12 }, () => engine.get('/api/webhooks')));
    assert.ok(seen.every((got) => got.json.items.length === 1), 'every worker knows it, whoever answers');
    const producer = new Producer().start([engine], { lines: 6 });
    await eventually(() => producer.accepted.size > 100, '100 accepted events');
    const [victim] = workersOf(engine.pid);
    process.kill(victim, 'SIGKILL');
    await engine.logged(/event=worker_ended.*signal 9/);
    await eventually(() => workersOf(engine.pid).length === WORKERS, 'a worker in its place');
    assert.ok(!workersOf(engine.pid).includes(victim));
    const before = producer.accepted.size;
    await eventually(() => producer.accepted.size > before + 50, 'events after that');
    const accepted = await producer.stop();
    await receiver.until((all) => {
      const seen = new Set(all.map((r) => r.json.id));
      return [...accepted.keys()].every((id) => seen.has(id));
    }, 'every accepted event');
  });

  test('keeps its master key, of which each worker has a copy in memory, and says how to change it', async () => {
    const got = await engine.post('/api/keys/rotate-master');
    assertProblem(got, 409);
    assert.match(got.json.detail, /MOONHOOK_MASTER_KEY=NEW,FORMER/);
  });

  test('refuses its port to another moonhook that would share it', async () => {
    const other = spawn(join(build, 'moonhook'), ['serve', '--listen', new URL(engine.url).host,
      '--data', folder(), ...FLAGS], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    other.stderr.on('data', (text) => { said += text; });
    const [code] = await within(once(other, 'close'), 'the end of the other');
    assert.equal(code, 1);
    assert.match(said, /event=listen_failed.*in use/);
  });
});

describe('a worker that dies', () => {
  const engine = new Engine({ flags: FLAGS });
  const receiver = new Receiver();
  let ids, hanging;
  before(async () => {
    await Promise.all([receiver.start(), engine.start()]);
    await engine.webhook(receiver.url);
  });
  after(async () => {
    receiver.answer = () => ({});
    await receiver.stop();
    await engine.stop();
  });
  beforeEach(async () => {
    receiver.reset();
    receiver.answer = () => ({ hang: true });
    ids = await Promise.all(Array.from({ length: 30 }, (_, n) => engine.event('alert', { n }).then((e) => e.id)));
    hanging = await receiver.got(ids.length);
    receiver.answer = () => ({});
  });

  const again = () => receiver.until((all) => all.length > hanging.length, 'a delivery that is made again');

  test('is told to its successor, who goes on with what it held at once', async (t) => {
    const [victim] = workersOf(engine.pid), killed = Date.now();
    process.kill(victim, 'SIGKILL');
    const line = await engine.logged(/event=queue_taken_over/);
    const held = Number(line.match(/deliveries=(\d+)/)[1]);
    await receiver.got(hanging.length + held);
    t.diagnostic(`held=${held} all_made_again_ms=${Date.now() - killed}`);
    assert.ok(held > 0, line);
    assert.deepEqual(receiver.requests.slice(hanging.length).filter((r) => !ids.includes(r.json.id)), []);
  });

  test('together with all others leaves no name that the first of the next would wait for', async (t) => {
    const killed = Date.now();
    await engine.kill();
    await engine.start();
    assert.equal(Number(engine.redis('zcard', 'mh:{q}:engines')), WORKERS);
    await again();
    t.diagnostic(`made_again_ms=${Date.now() - killed}`);
    const seen = () => new Set(receiver.requests.slice(hanging.length).map((r) => r.json.id));
    await eventually(() => ids.every((id) => seen().has(id)), 'all that was under way, made again');
  });
});

describe('a supervisor', () => {
  test('takes its workers with it when it is killed', async () => {
    const engine = await new Engine({ flags: FLAGS }).start();
    const workers = workersOf(engine.pid);
    await engine.kill();
    await eventually(() => workers.every(gone), 'the end of all workers');
    await engine.start();                   // over the same data, its Redis still there
    await engine.event('alert');
    await engine.stop();
  });

  test('gives up when its first worker cannot start', async () => {
    const child = spawn(join(build, 'moonhook'), ['serve', '--listen', '127.0.0.1:0',
      '--data', folder(), '--retry-schedule', 'soon', ...FLAGS], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => { said += text; });
    const [code] = await within(once(child, 'close'), 'the end of the supervisor');
    assert.equal(code, 1);
    assert.match(said, /setting=--retry-schedule/);
  });
});
