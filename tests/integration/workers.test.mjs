// workers.test.mjs - `serve --workers N`: several engines on one port, and what becomes of
// them when one dies, when their supervisor dies, and when they cannot start.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build, Engine, folder } from './lib/engine.mjs';
import { freePort } from './lib/port.mjs';
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
  before(() => engine.start());
  after(() => engine.stop());

  test('says ready once, when each of them serves', () => {
    assert.equal(workersOf(engine.pid).length, WORKERS);
    assert.equal(engine.lines.filter((line) => /event=worker_serves/.test(line)).length, WORKERS);
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
    const child = spawn(join(build, 'moonhook'), ['serve', '--listen', `127.0.0.1:${await freePort()}`,
      '--data', folder(), '--retry-schedule', 'soon', ...FLAGS], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => { said += text; });
    const [code] = await within(once(child, 'close'), 'the end of the supervisor');
    assert.equal(code, 1);
    assert.match(said, /setting=--retry-schedule/);
  });
});
