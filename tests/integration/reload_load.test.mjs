// reload_load.test.mjs - a thousand new versions of a plugin while it has events to handle.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { installed, PluginFolder } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const HTTP = 'local http = require "moonhook.http"';
const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

// The engine's processes that live.
function children(on) {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
    try {
      const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
      return Number(parent) === on.pid && state !== 'Z';
    } catch {
      return false;
    }
  }).sort();
}

// How many descriptors it has, but those of TCP connections: clients and services keep some.
function descriptors(on) {
  const tcp = new Set(['tcp', 'tcp6'].flatMap((file) => readFileSync(`/proc/${on.pid}/net/${file}`, 'latin1')
    .trim().split('\n').slice(1).map((line) => `socket:[${line.trim().split(/\s+/)[9]}]`)));
  return readdirSync(`/proc/${on.pid}/fd`).filter((fd) => {
    try {
      return !tcp.has(readlinkSync(`/proc/${on.pid}/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

const MOST_WAITING = 100;

test('a thousand reloads lose no event, do none twice, and leave no process and no descriptor', async () => {
  const many = new Engine({ flags: ['--plugin-retry-schedule', '0s,50ms', '--idle-timeout', '1s',
    '--log-level', 'warn'] });
  await many.start();
  const version = (v) => [`permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
    on_alert = function(_, ctx)
      http.post("${receiver.url}/${v}", { json = { id = ctx.delivery_id } }):expect(200)
    end,`, { before: HTTP, version: `1.0.${v}` }];
  const plugin = new PluginFolder('reloaded', ...version(0));
  await many.ok(200, plugin.install(many));
  const processes = children(many).length, open = descriptors(many);

  // As many events as the plugin can take, but not thousands that it would still have at the end.
  let over = false;
  const ids = [];
  const producer = async () => {
    for (; !over; await receiver.got(Math.max(0, ids.length - MOST_WAITING)))
      ids.push(`${(await many.event('alert')).id}~reloaded`);
  };
  const producers = [producer(), producer()];
  for (let i = 1; i <= 1000; i++) {
    plugin.write(...version(i % 2));
    const answer = await many.ok(200, many.post('/api/plugins/reloaded/reload'));
    assert.equal(answer.version, `1.0.${i % 2}`);
  }
  over = true;
  await Promise.all(producers);
  await many.idle();

  const seen = receiver.requests.map((r) => r.json.id);
  assert.ok(ids.length > 100, `${ids.length} events`);
  assert.deepEqual(seen.sort(), ids.sort());
  for (const v of [0, 1]) assert.ok(receiver.requests.some((r) => r.url === `/${v}`), `version ${v} served`);
  const { metrics } = await installed(many, 'reloaded');
  assert.deepEqual([metrics.calls, metrics.failures, metrics.restarts], [ids.length, 0, 0]);
  // Asleep, and the version before no longer warm: less than at the beginning.
  await eventually(() => children(many).length === processes - 1, 'no process but Redis');
  // Awake again it is as it was; on a slow machine it may sleep again before one can look.
  await eventually(async () => {
    await many.event('alert');
    await many.idle();
    return children(many).length === processes && descriptors(many) === open;
  }, `${processes} processes and ${open} descriptors, as before`);
  await many.stop();
});
