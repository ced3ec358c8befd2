#!/usr/bin/env node
// run.mjs - all benchmarks, or those named, as one table; build/bench.json has the parts.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { accept, fsync } from './accept.mjs';
import { arrival } from './arrival.mjs';
import { conceal } from './conceal.mjs';
import { deliver, spread } from './deliver.mjs';
import { fairness } from './fairness.mjs';
import { hook } from './hook.mjs';
import { hostile } from './hostile.mjs';
import { memory } from './memory.mjs';
import { million } from './million.mjs';
import { start } from './start.mjs';
import { thousand } from './thousand.mjs';
import { wake } from './wake.mjs';
import { table } from './lib/table.mjs';

const ALL = { accept, hook, deliver, spread, arrival, fairness, start, wake, memory, thousand, hostile,
  conceal, million };
const MEASURES = { ...ALL, fsync };             // fsync only where it is named
const OPTIONS = {
  fsync: { type: 'string', default: 'always' },         // moonhook's default
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '4' },            // of one round
  connections: { type: 'string', default: '32' },
  deliveries: { type: 'string', default: '20000' },     // of one round
};

function usage(problem) {
  const options = Object.entries(OPTIONS).map(([name, o]) => `[--${name} ${o.default}]`).join(' ');
  console.error(`${problem}\nusage: run.mjs ${options} [${Object.keys(MEASURES).join('|')}]...`);
  process.exit(2);
}

function command() {
  try {
    const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
    const wrong = positionals.find((name) => !Object.hasOwn(MEASURES, name));
    if (wrong) usage(`there is no benchmark ${wrong}`);
    if (!['always', 'everysec'].includes(values.fsync)) usage('--fsync is always or everysec');
    for (const name of ['rounds', 'seconds', 'connections', 'deliveries'])
      if (!((values[name] = Number(values[name])) >= 1)) usage(`--${name} is a number from 1`);
    return { options: values, names: positionals.length ? positionals : Object.keys(ALL) };
  } catch (error) { return usage(error.message); }
}

function machine() {
  const disk = execFileSync('df', ['--output=fstype', tmpdir()], { encoding: 'utf8' });
  return { cpu: cpus()[0].model, cores: cpus().length, disk: disk.split('\n')[1],
    node: process.version };
}

const { options, names } = command();
const began = Date.now(), rows = [];
for (const name of names) {
  process.stderr.write(`${name} ...\n`);
  rows.push(...await MEASURES[name](options));
}
const about = { date: new Date().toISOString(), ...machine(), ...options,
  took_s: Math.round((Date.now() - began) / 1000) };
console.log(Object.entries(about).map(([name, value]) => `${name} ${value}`).join(', '));
console.log(`\n${table(rows)}`);

const build = fileURLToPath(new URL('../build', import.meta.url));
mkdirSync(build, { recursive: true });
writeFileSync(`${build}/bench.json`, JSON.stringify({ about, rows }, null, 2));
process.exit(rows.some((row) => row.moonhook.missing) ? 1 : 0);
