// process.mjs - what /proc says of a process.
import { readFileSync } from 'node:fs';

const MIB = 1024;                       // /proc counts in KiB

export function residentMib(pid) {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(kib) / MIB;
}

// The pids of all children, in order.
export function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/)
    .filter(Boolean).map(Number).sort((a, b) => a - b);
}
