// wake.mjs - what it costs a plugin's first event that the plugin sleeps, and how long a
// saved file takes to be served. Each sample is a pair, one after the other: the client's
// view of an event with its hook's result, asleep and then awake; the wake is the difference.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEngine } from './lib/engine.mjs';
import { alternate, EVENT, median } from './lib/load.mjs';
import { tempDir, until } from './lib/proc.mjs';

const WAKES = 200, SAVES = 50, IDLE_MS = 30;
const SOURCE = readFileSync(new URL('plugins/bench-hook/plugin.lua', import.meta.url), 'utf8');

async function plugin(engine) {
  const [found] = await engine.api('GET', '/api/plugins/installed');
  return found;
}

async function event_ms(engine) {
  const began = performance.now();
  const { results } = await engine.api('POST', '/api/events?wait=5000', EVENT);
  if (results[0]?.status !== 'delivered') throw new Error(`no hook ran: ${JSON.stringify(results)}`);
  return performance.now() - began;
}

async function wakeRound(engine) {
  const woken = [], start = [];
  for (let i = 0; i < WAKES; i++) {
    await until(async () => (await plugin(engine)).status === 'asleep', 'a plugin asleep', { every_ms: 5 });
    const asleep_ms = await event_ms(engine);
    woken.push(asleep_ms - await event_ms(engine));
    start.push((await plugin(engine)).metrics.start_ms);
  }
  woken.sort((a, b) => a - b);
  return { p50_ms: median(woken), p99_ms: woken[Math.floor(WAKES * 0.99)], start_ms: median(start) };
}

// From the moment before the file is written until an answer names the new version.
async function saveRound(engine) {
  const served = [], file = join(engine.folder, 'bench-hook', 'plugin.lua');
  for (let i = 1; i <= SAVES; i++) {
    const began = performance.now();
    writeFileSync(file, SOURCE.replace('version = "1.0.0"', `version = "1.0.${i}"`));
    await until(async () => (await plugin(engine)).version === `1.0.${i}`, 'the saved version', { every_ms: 1 });
    served.push(performance.now() - began);
  }
  return { p50_ms: median(served), max_ms: Math.max(...served) };
}

async function watching(fsync) {
  const folder = tempDir();
  mkdirSync(join(folder, 'bench-hook'));
  writeFileSync(join(folder, 'bench-hook', 'plugin.lua'), SOURCE);
  const engine = await startEngine({ fsync, plugins: ['bench-hook'], folder, flags: ['--watch'] });
  return Object.assign(engine, { folder });
}

export async function wake({ fsync }) {
  const { moonhook } = await alternate({ moonhook: () => startEngine({ fsync, plugins: ['bench-hook'],
    flags: ['--idle-timeout', `${IDLE_MS}ms`] }) }, 1, wakeRound);
  const { moonhook: saved } = await alternate({ moonhook: () => watching(fsync) }, 1, saveRound);
  return [
    { what: 'wake of a plugin asleep, p50 (aim: < 5 ms)', unit: 'ms', field: 'p50_ms', moonhook },
    { what: 'wake of a plugin asleep, p99', unit: 'ms', field: 'p99_ms', moonhook },
    { what: 'saved file to served, p50 (aim: < 100 ms)', unit: 'ms', field: 'p50_ms', moonhook: saved },
    { what: `saved file to served, slowest of ${SAVES}`, unit: 'ms', field: 'max_ms', moonhook: saved },
  ];
}
