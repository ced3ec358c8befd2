// jail.test.mjs - the jail around moonhook-sandbox, as the kernel and other processes see
// it, and what the engine does where a layer is missing. What it refuses from the inside
// is in tests/hostile/native.test.mjs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assertProblem, build, Engine, folder } from './lib/engine.mjs';
import { Sandbox } from './lib/frames.mjs';
import { PluginFolder } from './lib/plugins.mjs';
import { SANDBOXES } from './lib/programs.mjs';
import { plugin } from './lib/sandbox_suite.mjs';
import { eventually } from './lib/wait.mjs';

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

describe('an engine', () => {
  const LACKING = ['--sandbox', `${program}-without-landlock`];
  const PLUGIN = new PluginFolder('jailed', 'permissions = { "alerts:read" }, on_alert = function() end,');
  const serve = async (t, flags = []) => {
    const engine = await new Engine({ flags }).start();
    t.after(() => engine.stop());
    return engine;
  };
  const layer = (engine, name) => engine.metric('moonhook_jail_layer', `{layer="${name}"}`);

  test('says before it is ready which layers hold', async (t) => {
    const engine = await serve(t, ['--require-jail', 'full']);
    const line = engine.lines.find((l) => l.includes('event=jail '));
    assert.match(line, new RegExp(`level=info event=jail layers="${LAYERS.join(',')}" missing=""$`));
    for (const name of LAYERS) assert.equal(await layer(engine, name), 1, name);
  });

  test('warns of a layer that the kernel lacks, and serves', async (t) => {
    const engine = await serve(t, LACKING);
    assert.match(engine.lines.find((l) => l.includes('event=jail ')), /level=warn .* missing="landlock"$/);
    assert.deepEqual([await layer(engine, 'landlock'), await layer(engine, 'seccomp')], [0, 1]);
    await engine.ok(200, PLUGIN.install(engine));
  });

  test('answers an install 503 jail, not 400, where a layer that must hold does not, and says what to do', async (t) => {
    const unsealed = join(folder(), 'unsealed');        // ends as the sandbox does without seccomp
    writeFileSync(unsealed, `#!/bin/sh\nexit ${80 + LAYERS.indexOf('seccomp')}\n`, { mode: 0o755 });
    const engine = await serve(t, ['--sandbox', unsealed]);
    const got = await PLUGIN.install(engine);
    assertProblem(got, 503);
    assert.equal(got.json.code, 'jail');
    assert.match(got.json.detail, /^no plugin may run on this machine: the jail of plugins lacks seccomp: ./);
  });

  test('refuses to run with less than --require-jail full, in one line', () => {
    const { status, stdout, stderr } = spawnSync(join(build, 'moonhook'), ['serve', '--listen', '127.0.0.1:0',
      '--data', folder(), '--require-jail', 'full', ...LACKING], { encoding: 'utf8' });
    assert.deepEqual([status, stdout], [1, ''], stderr);
    const lines = stderr.split('\n').filter((l) => /level=(warn|error)/.test(l));
    assert.equal(lines.length, 1, stderr);
    assert.match(lines[0], /event=jail_incomplete .*missing="landlock".*landlock among lsm=; or say --require-jail best"$/);
  });

  test('that is killed takes its sandboxes with it, also those that compute', async (t) => {
    const engine = await serve(t);
    const busy = new PluginFolder('busy', 'permissions = { "alerts:read" }, limits = { timeout_ms = 10000 },'
      + 'on_alert = function() while true do pcall(function() while true do end end) end end,');
    await engine.ok(200, PLUGIN.install(engine));
    await engine.ok(200, busy.install(engine));
    const pids = (await engine.get('/api/plugins/installed')).json.map(({ metrics }) => metrics.pid);
    await engine.event('alert');
    await eventually(async () => await engine.metric('moonhook_deliveries_in_flight') > 0, 'a hook under way');
    await engine.kill();
    await eventually(() => pids.every((pid) => !existsSync(`/proc/${pid}`)), 'the end of both sandboxes');
  });
});
