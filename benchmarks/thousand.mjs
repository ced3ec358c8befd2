// thousand.mjs - a thousand plugins installed, fifty of them with events: how long the
// engine takes to start, and what engine, sandboxes and Redis keep in memory in all (PSS).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEngine } from './lib/engine.mjs';
import { EVENT } from './lib/load.mjs';
import { pss, tempDir, tree } from './lib/proc.mjs';

const INSTALLED = 1000, ACTIVE = 50;
const SOURCE = readFileSync(new URL('plugins/bench-hook/plugin.lua', import.meta.url), 'utf8');

// The fifty take alerts; the others take what nobody sends.
function write(folder, i) {
  const name = `bench-${i}`;
  const text = SOURCE.replace('"bench-hook"', `"${name}"`);
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, 'plugin.lua'), i < ACTIVE ? text
    : text.replace('alerts:read', 'sla:read').replace('on_alert', 'on_sla_breach'));
  return name;
}

function kib(processes) { return processes.reduce((sum, { pid }) => sum + pss(pid), 0); }

function memoryOf(engine) {
  const all = tree(engine.child.pid);
  const sandboxes = all.filter(({ name }) => name.startsWith('moonhook-'));
  return { processes: sandboxes.length, all_mib: kib(all) / 1024,
    engine_mib: pss(engine.child.pid) / 1024, sandboxes_mib: kib(sandboxes) / 1024 };
}

async function measure(fsync) {
  const folder = tempDir();
  const names = [...Array(INSTALLED).keys()].map((i) => write(folder, i));
  const first = await startEngine({ fsync, folder });
  const began = performance.now();
  for (const source of names) await first.api('POST', '/api/plugins/install', { source, config: {} });
  const install_ms = (performance.now() - began) / INSTALLED;
  await first.stop();
  const engine = await startEngine({ fsync, folder, data: first.data });
  try {
    const asleep = memoryOf(engine);
    if (asleep.processes > 0) throw new Error(`${asleep.processes} processes before any event`);
    const woken = performance.now();
    const { results } = await engine.api('POST', '/api/events?wait=10000', EVENT);
    const wake_all_ms = performance.now() - woken;
    if (results.length !== ACTIVE) throw new Error(`${results.length} hooks ran`);
    const awake = memoryOf(engine);
    if (awake.processes !== ACTIVE) throw new Error(`${awake.processes} processes for ${ACTIVE}`);
    return { start_s: engine.ready_ms / 1000, asleep_mib: asleep.all_mib, ...awake, install_ms, wake_all_ms };
  } finally { await engine.stop(); }
}

export async function thousand({ fsync }) {
  const moonhook = await measure(fsync).catch((error) => ({ missing: error.message }));
  const of = `${INSTALLED} plugins installed`;
  return [
    { what: `start of the engine, ${of} (aim: < 3 s)`, unit: 's', field: 'start_s', moonhook },
    { what: `memory in all, ${of}, all asleep`, unit: 'MiB', field: 'asleep_mib', moonhook },
    { what: `memory in all, ${ACTIVE} awake (aim: < 500 MB)`, unit: 'MiB', field: 'all_mib', moonhook },
    { what: `one event that wakes ${ACTIVE} plugins, client`, unit: 'ms', field: 'wake_all_ms', moonhook },
  ];
}
