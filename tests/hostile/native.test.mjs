// native.test.mjs - attacks in C, below Lua: on the jail from inside it (every system call
// by number; every layer without the filter), and on the engine by a sandbox program that
// breaks the protocol in every way (native/hostile_sandbox.c).
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { build, folder } from '../integration/lib/engine.mjs';

const run = promisify(execFile);
const program = (name) => join(build, 'hostile', name);

describe('the filter', () => {
  for (const jit of ['nojit', 'jit'])
    test(`lets through what stands in its list and nothing else (${jit})`, async (t) => {
      const { stdout } = await run(program('system_calls'), [jit]).catch((error) => error);
      for (const line of stdout.trim().split('\n')) t.diagnostic(line);
      assert.match(stdout, new RegExp(`^system calls: 471 tried, ${jit === 'jit' ? 8 : 6} allowed`, 'm'));
      assert.doesNotMatch(stdout, /surprise|not sealed/);
      assert.match(stdout, /^arguments: \d+ tried/m);
    });
});

// What each layer refuses by itself. Some of it depends on who asks: root is above RLIMIT_NPROC.
describe('without the filter the jail', () => {
  const REFUSED = {
    read_file: 'EACCES', read_own_memory: 'EACCES', read_folder: 'EACCES', write_file: 'EACCES',
    make_folder: 'EACCES', cut_file: 'EACCES', run_program: 'EACCES', mount_folder: 'EPERM',
    rename_host: 'EPERM', signal_parent: 'EPERM', trace_parent: 'EPERM', bind_port: 'EACCES',
    connect_port: 'EACCES', much_memory: 'ENOMEM', second_copy: 'EMFILE',
  };
  for (const [who, ids] of Object.entries({ 'of this user': {}, 'of nobody': { uid: 65534, gid: 65534 } }))
    test(`${who} refuses files, ports, signals, memory and descriptors`,
         { skip: ids.uid && process.getuid() !== 0 }, async () => {
      const dir = folder(), file = join(dir, 'own');
      writeFileSync(file, 'x');
      chmodSync(dir, 0o755);
      if (ids.uid) chownSync(file, ids.uid, ids.gid);
      const child = spawn(program('inside'), [file], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], ...ids });
      let text = '';
      child.stdio[3].setEncoding('utf8').on('data', (chunk) => { text += chunk; });
      const [status] = await once(child, 'close');
      assert.equal(status, 0);
      assert.deepEqual(Object.fromEntries(text.trim().split('\n').map((line) => line.split(' '))), REFUSED);
    });
});
