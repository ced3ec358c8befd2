// process.mjs - what the kernel knows of another process.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICK_MS = 10;                         // of the clock in /proc/PID/stat, on every Linux

export const descriptorsOf = (pid) => readdirSync(`/proc/${pid}/fd`).length;

export const descriptorLimitOf = (pid) =>
  Number(/^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))[1]);

// The soft limit, while it runs.
export const limitDescriptors = (pid, count) =>
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}:`]);

export function cpuMsOf(pid) {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13);
  return (Number(user) + Number(system)) * TICK_MS;
}

export const memoryKibOf = (pid, name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
