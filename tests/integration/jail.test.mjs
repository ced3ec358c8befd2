// jail.test.mjs - the jail around moonhook-sandbox, as the kernel and other processes see
// it, and what the engine does where a layer is missing. What it refuses from the inside
// is in tests/hostile/native.test.mjs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Sandbox } from './lib/frames.mjs';
import { SANDBOXES } from './lib/programs.mjs';
import { plugin } from './lib/sandbox_suite.mjs';

const [program] = SANDBOXES;
const NOBODY = { uid: 65534, gid: 65534 };
const root = process.getuid() === 0;
const LAYERS = ['descriptors', 'rlimits', 'namespaces', 'capabilities', 'no_new_privs', 'landlock',
                'undumpable', 'parent_death', 'seccomp'];

async function loaded(options = {}) {
  const sandbox = new Sandbox(options.program ?? program, options);
  const answer = await sandbox.load(plugin(''));
  assert.equal(answer.type, 'LOADED', answer.head.message);
  return { sandbox, pid: sandbox.child.pid, jail: answer.head.jail };
}

const status = (pid) => Object.fromEntries(readFileSync(`/proc/${pid}/status`, 'utf8').trim().split('\n')
  .map((line) => line.split(/:\s*/)));

describe('a sandbox', () => {
  test('names the layers that hold', async (t) => {
    const { sandbox, jail } = await loaded();
    t.after(() => sandbox.close());
    assert.deepEqual(jail, LAYERS);
  });

  test('holds no capability, also in its own namespace', async (t) => {
    const { sandbox, pid } = await loaded();
    t.after(() => sandbox.close());
    const { CapInh, CapPrm, CapEff, CapAmb } = status(pid);
    assert.deepEqual([CapInh, CapPrm, CapEff, CapAmb], Array(4).fill('0'.repeat(16)));
  });

  test('has left the namespaces of the engine, but that of the network', { skip: !root }, async (t) => {
    const { sandbox, pid } = await loaded();
    t.after(() => sandbox.close());
    const left = ['user', 'ipc', 'mnt', 'net'].filter((name) =>
      readlinkSync(`/proc/${pid}/ns/${name}`) !== readlinkSync(`/proc/self/ns/${name}`));
    assert.deepEqual(left, ['user', 'ipc', 'mnt']);
    // That of processes begins with its first child, which never comes.
    assert.throws(() => readlinkSync(`/proc/${pid}/ns/pid_for_children`), { code: 'ENOENT' });
  });

  test('cannot be looked into by a process of its own user', { skip: !root }, async (t) => {
    const { sandbox, pid } = await loaded(NOBODY);
    const open = spawn('sleep', ['60'], NOBODY);
    t.after(() => Promise.all([sandbox.close(), open.kill()]));
    const read = (of) => spawnSync('head', ['-c', '1', `/proc/${of}/maps`], NOBODY).status;
    assert.deepEqual([read(open.pid), read(pid)], [0, 1]);
  });

  test('starts also where the hard limits are lower than its own', async (t) => {
    const sandbox = new Sandbox('/bin/sh', { args: ['-c', `ulimit -s 1024 && exec ${program} 33554432 nojit`] });
    t.after(() => sandbox.close());
    assert.equal((await sandbox.load(plugin(''))).type, 'LOADED');
  });

  test('ends at once when its parent is not who made its socket', async () => {
    const shell = spawn('/bin/sh', ['-c', `${program} 33554432 nojit; echo $?`],
                        { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
    const [line] = await once(shell.stdout.setEncoding('utf8'), 'data');
    assert.equal(Number(line), 80 + LAYERS.indexOf('parent_death'));
  });

  test('of a kernel without landlock names all other layers', async (t) => {
    const { sandbox, jail } = await loaded({ program: `${program}-without-landlock` });
    t.after(() => sandbox.close());
    assert.deepEqual(jail, LAYERS.filter((name) => name !== 'landlock'));
  });
});
