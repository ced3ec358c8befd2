// memory.mjs - what a plugin that is awake and has run one hook keeps: the proportional
// memory (PSS) of its sandbox process, with several beside each other as in real life.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEngine } from './lib/engine.mjs';
import { alternate, EVENT, median } from './lib/load.mjs';
import { pss, tempDir, tree } from './lib/proc.mjs';

const NAMES = ['one', 'two', 'three', 'four', 'five'].map((n) => `bench-${n}`);

function copies() {
  const source = readFileSync(new URL('plugins/bench-hook/plugin.lua', import.meta.url), 'utf8');
  const folder = tempDir();
  for (const name of NAMES) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'plugin.lua'), source.replace('"bench-hook"', `"${name}"`));
  }
  return folder;
}

async function round(engine) {
  const { results } = await engine.api('POST', '/api/events?wait=5000', EVENT);
  if (results.length !== NAMES.length) throw new Error(`${results.length} hooks ran`);
  const sandboxes = tree(engine.child.pid).filter(({ name }) => name.startsWith('moonhook-'));
  return { plugin_kib: median(sandboxes.map(({ pid }) => pss(pid))),
    engine_kib: pss(engine.child.pid) };
}

export async function memory({ fsync }) {
  const { moonhook } = await alternate(
    { moonhook: () => startEngine({ fsync, plugins: NAMES, folder: copies() }) }, 1, round);
  const idle = `memory of an idle plugin, ${NAMES.length} awake`;
  return [
    { what: idle, unit: 'KiB', field: 'plugin_kib', moonhook },
    { what: 'memory of the idle engine', unit: 'KiB', field: 'engine_kib', moonhook },
  ];
}
