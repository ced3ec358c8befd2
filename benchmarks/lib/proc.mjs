// proc.mjs - processes and folders that a benchmark owns, and what they cost.
//
// Whatever is started or made here is gone when the runner ends, on every path that
// leaves it a chance: 'exit' kills the processes with all their descendants and
// removes the folders. CPU time comes from /proc/PID/stat, children that ended included.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const TICK_US = 1e6 / Number(execFileSync('getconf', ['CLK_TCK']));

const running = new Set();
const folders = new Set();

process.on('exit', () => {
  for (const child of running) for (const { pid } of tree(child.pid)) kill(pid);
  pids().filter(isOurs).forEach(kill);          // a Redis whose engine died
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

function pids() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
}

function isOurs(pid) {
  try { return [...folders].some((dir) => readlinkSync(`/proc/${pid}/cwd`).startsWith(`${dir}/`)); }
  catch { return false; }
}

function kill(pid) {
  try { process.kill(pid, 'SIGKILL'); } catch { /* it ended meanwhile */ }
}

/** A folder of the runner's own, on the disk of TMPDIR. */
export function tempDir() {
  const dir = mkdtempSync(join(tmpdir(), 'mh-bench-'));
  folders.add(dir);
  return dir;
}

/** Starts a program; its standard error, and unless piped its output, go to `log`. */
export function start(argv, { log, env = {}, stdout, ipc = false } = {}) {
  const file = openSync(log, 'a');
  const stdio = ['ignore', stdout ?? file, file, ...(ipc ? ['ipc'] : [])];
  const child = spawn(argv[0], argv.slice(1), { stdio, env: { ...process.env, ...env } });
  child.log = log;
  running.add(child);
  child.ended = new Promise((resolve) => {
    child.once('error', (error) => { child.failure = error.message; resolve(); });
    child.once('exit', resolve);
  }).then(() => running.delete(child));
  return child;
}

/** Asks the process to end and waits until it did, at most 15 s. */
export async function stop(child) {
  child.kill('SIGTERM');
  const late = setTimeout(() => tree(child.pid).forEach(({ pid }) => kill(pid)), 15000);
  await child.ended;
  clearTimeout(late);
}

/** Waits until `ready()` is truthy and returns that; fails if the process ends before. */
export async function until(ready, what, { child, seconds = 30, every_ms = 20 } = {}) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(every_ms)) {
    const value = await ready();
    if (value) return value;
    if (child && ending(child)) throw new Error(`${what}: ${ending(child)}`);
  }
  throw new Error(`${what}: not within ${seconds} s. ${child ? lastLines(child.log) : ''}`);
}

/** Waits until something answers HTTP at `url`, whatever it says. */
export function untilServes(url, what, child) {
  const get = () => fetch(url).then(async (answer) => { await answer.text(); return true; });
  return until(() => get().catch(() => false), what, { child });
}

/** How a process ended that should not have, or null while it runs. */
export function ending(child) {
  const how = child.failure ?? child.signalCode ?? child.exitCode;
  return how === null ? null : `ended early (${how}). ${lastLines(child.log)}`;
}

function lastLines(log) {
  return readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' / ');
}

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
    const field = text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number);
    const ticks = field[11] + field[12] + field[13] + field[14];  // u, s, and of ended children
    return { pid, name, parent: field[1], cpu_us: ticks * TICK_US };
  } catch { return null; }                                        // it ended meanwhile
}

/** The process and its descendants: [{pid, name, cpu_us}], the root first. */
export function tree(root) {
  const all = pids().map(stat).filter(Boolean);
  const found = all.filter(({ pid }) => pid === root);
  for (const one of found) found.push(...all.filter(({ parent }) => parent === one.pid));
  return found;
}

/** CPU microseconds so far of these processes and their descendants, by program name. */
export function cpu(roots) {
  const sum = {};
  for (const { name, cpu_us } of roots.flatMap(tree)) sum[name] = (sum[name] ?? 0) + cpu_us;
  return sum;
}

/** Proportional memory of one process in KiB: shared pages count by their share. */
export function pss(pid) {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1]);
}

/** Resident memory of a process: now, and at its peak. */
export function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)[1]);
  return { now_kib: kib('VmRSS'), peak_kib: kib('VmHWM') };
}
