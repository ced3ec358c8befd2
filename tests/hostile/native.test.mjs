// native.test.mjs - attacks in C, below Lua: on the jail from inside it (every system call
// by number; every layer without the filter), and on the engine by a sandbox program that
// breaks the protocol in every way (native/hostile_sandbox.c).
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { build, Engine, folder } from '../integration/lib/engine.mjs';
import { installed, PluginFolder } from '../integration/lib/plugins.mjs';
import { eventually } from '../integration/lib/wait.mjs';

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

// ---- A sandbox program that was taken over ------------------------------------------------

const MIB = 1024;                           // VmRSS is in KiB
const GROWTH = 48 * MIB;                    // one frame, its copies, its tree; and the allocator's slack

describe('an engine whose sandbox', () => {
  const engine = new Engine({
    flags: ['--plugin-retry-schedule', '0s', '--redis-fsync', 'everysec',
            '--sandbox', program('hostile_sandbox')],
    env: { ASAN_OPTIONS: 'quarantine_size_mb=1' },      // else what was freed counts as used
  });
  let pid;

  const hostile = (attack, name) => {
    const made = new PluginFolder(name, '');
    made.writeText(`-- ${attack} ${name}\n`);
    return made;
  };
  const rss = () => Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
  // Its sandboxes, by the kernel: pids of children with that name, zombies among them.
  const children = () => readdirSync('/proc').filter((entry) => {
    try {
      return /^\d+$/.test(entry)
        && new RegExp(`^${entry} \\(hostile_sandbox\\) \\S ${pid} `).test(readFileSync(`/proc/${entry}/stat`, 'utf8'));
    } catch {
      return false;                         // it has just ended
    }
  });
  const ask = async (type, data = {}) => {
    const { results } = await engine.ok(200, engine.post('/api/events?wait=15000', { event: type, data }));
    return Object.fromEntries(results.map((row) => [row.plugin, row]));
  };
  const isGood = ({ good }) => assert.deepEqual([good.status, good.result], ['delivered', { calm: true }]);
  const outcome = (row) => (row.status === 'delivered' ? 'delivered' : row.error?.code);

  // What holds after every attack: one engine, not larger, no process that is nobody's.
  async function unharmed(rssBefore, bound = GROWTH) {
    assert.equal(engine.pid, pid);
    assert.ok(rss() - rssBefore < bound, `grew by ${(rss() - rssBefore) / MIB} MiB`);
    isGood(await ask('calm'));
    await eventually(() => children().length === 1, 'the end of every process but that of "good"');
  }

  before(async () => {
    await engine.start();
    pid = engine.pid;
    await engine.ok(200, hostile('none', 'good').install(engine));
    await ask('calm');
  });
  after(() => engine.stop());
  // What a test that failed left behind shall not fail the next ones.
  afterEach(async () => {
    for (const { name } of (await engine.get('/api/plugins/installed')).json)
      if (name !== 'good') await engine.delete(`/api/plugins/${name}`);
  });

  // attack, what the delivery's record says, whether the process is another afterwards
  const calls = [
    ['giant_length', 'protocol'], ['unknown_type', 'protocol'], ['unknown_flags', 'protocol'],
    ['head_past_payload', 'protocol'], ['engines_type', 'protocol'], ['other_id', 'protocol'],
    ['result_twice', 'delivered', true], ['truncated', 'plugin_crashed'], ['byte_by_byte', 'delivered', false],
    ['never_answers', 'timeout'], ['loaded_again', 'protocol'], ['failed_late', 'protocol'],
    ['requests', ['protocol', 'timeout']], ['logs_of_call', 'protocol'], ['logs_of_none', 'protocol'],
    ['log_level', 'protocol'], ['log_other_call', 'protocol'], ['log_huge', 'protocol'],
    ['head_no_json', 'protocol'], ['head_array', 'protocol'], ['head_twice', 'protocol'],
    ['head_deep', 'protocol'], ['head_huge', 'protocol'], ['result_of_8_mib', 'bad_result', false],
    ['result_no_json', 'bad_result', false], ['result_deep', 'bad_result', false],
    ['error_forged', 'plugin_error', false], ['closes_socket', 'protocol'], ['shuts_writing', 'protocol'],
    ['shuts_reading', 'timeout'], ['exits', 'plugin_crashed'], ['crashes', 'plugin_crashed'],
    ['stops', 'timeout'],
  ];
  for (const [attack, code, dies = true] of calls)
    test(`${attack.replaceAll('_', ' ')} serves on: ${[code].flat().join(' or ')}`, async () => {
      const name = attack.replaceAll('_', '-'), rssBefore = rss();
      await engine.ok(200, hostile(attack, name).install(engine));
      const { metrics: { pid: first } } = await installed(engine, name);
      const rows = await ask('misbehave');
      assert.ok([code].flat().includes(outcome(rows[name])), JSON.stringify(rows[name]));
      isGood(rows);
      if (dies) await eventually(() => !children().includes(String(first)), 'the end of the hostile process');
      assert.deepEqual((await ask('calm'))[name].result, { calm: true }, 'and is called again');
      assert.equal((await installed(engine, name)).metrics.pid !== first, dies, 'another process');
      await engine.ok(200, engine.delete(`/api/plugins/${name}`));
      await unharmed(rssBefore);
    });

  test('answers in the wrong order charges the hook that was to answer, and no other', async () => {
    await engine.ok(200, hostile('holds', 'holds').install(engine));
    const first = ask('misbehave');
    await eventually(async () => (await installed(engine, 'holds')).metrics.in_flight > 0, 'the first hook');
    const second = ask('calm');
    const [held, calm] = await Promise.all([first, second]);
    assert.deepEqual([outcome(held.holds), outcome(calm.holds)], ['protocol', 'delivered']);
    await engine.ok(200, engine.delete('/api/plugins/holds'));
    await unharmed(rss());
  });

  test('never reads is sent no more than its queue holds', async (t) => {
    const rssBefore = rss(), text = 'x'.repeat(900_000);
    await engine.ok(200, hostile('never_answers', 'deaf').install(engine));
    let most = 0, accepted = 0;
    // Four at a time: a Redis on a busy disk is too slow for a hundred, and they are answered 503.
    const post = async () => {
      while (accepted < 100) {
        const { status } = await engine.post('/api/events', { event: 'misbehave', data: { text } });
        accepted += status === 202;
        most = Math.max(most, rss());
      }
    };
    await Promise.all([post(), post(), post(), post()]);
    await eventually(async () => {
      most = Math.max(most, rss());
      return (await installed(engine, 'deaf')).metrics.restarts > 0;
    }, 'its end');
    t.diagnostic(`grew by ${Math.round((most - rssBefore) / MIB)} MiB with 100 events of 0.9 MB under way`);
    assert.ok(most - rssBefore < 240 * MIB, `grew by ${(most - rssBefore) / MIB} MiB`);
    await engine.ok(200, engine.delete('/api/plugins/deaf'));
    await eventually(() => children().length === 1, 'the end of every process but that of "good"');
  });

  // attack, what the refusal of the installation says
  const loads = [
    ['load_never', /took longer than its timeout/], ['load_exits', /ended with status 0/],
    ['load_closes', /closed its socket and lived on/], ['load_says_unsealed', /lacks undumpable: /],
    ['load_is_unsealed', /lacks no_new_privs,seccomp: /], ['load_huge', /larger than its kind may be/],
    ['load_deep', /no JSON object/], ['load_brackets', /config/], ['load_twice_named', /no JSON object/],
    ['load_no_json', /no JSON object/], ['load_with_body', /larger than its kind may be/],
    ['load_answers', /a result came for a hook that is not running/],
    ['load_requests', /a request came from a hook that is not running/],
    ['load_floods', /more log lines came/], ['load_fails_hugely', /\u00e9{200,}/],
    ['load_otherwise', /says otherwise than when it was approved/],
  ];
  const LARGER = { load_brackets: 96 * MIB };     // a mebibyte of "[]," as a tree
  const STATUS = { load_says_unsealed: 503, load_is_unsealed: 503 };     // the machine's fault, not the plugin's
  for (const [attack, why] of loads)
    test(`${attack.replaceAll('_', ' ')} is not installed`, async () => {
      const name = attack.replaceAll('_', '-'), rssBefore = rss();
      const { status, json, text } = await hostile(attack, name).install(engine);
      if (STATUS[attack]) assert.equal(status, STATUS[attack], text);
      else assert.ok(status >= 400 && status < 500, text);
      assert.match(json.detail, why);
      assert.equal(await installed(engine, name), undefined);
      await unharmed(rssBefore, LARGER[attack]);
    });

  test('ends as soon as it has loaded is started more and more rarely', async () => {
    await hostile('load_then_exit', 'brief').install(engine);
    const brief = await eventually(async () => {
      const found = await installed(engine, 'brief');
      return found === undefined || (found.metrics.restarts >= 3 && found.status === 'backoff') ? { found } : false;
    }, 'a plugin that backs off');
    if (brief.found) await engine.ok(200, engine.delete('/api/plugins/brief'));
    await unharmed(rss());
  });

  test('lacks landlock is refused by --require-jail full and believed otherwise', async () => {
    await engine.ok(200, hostile('load_no_landlock', 'open').install(engine));
    await engine.ok(200, engine.delete('/api/plugins/open'));
    const strict = await new Engine({ flags: [...engine.flags, '--require-jail', 'full'] }).start();
    const { json } = await hostile('load_no_landlock', 'open-too').install(strict);
    assert.match(json.detail, /lacks landlock: boot a kernel/);
    await strict.stop();
  });
});
