// memory.mjs - the whole memory of another process, as root may read it.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const CHUNK_BYTES = 16 << 20;
const RESERVED_BYTES = 256 << 20;
const OVERLAP_BYTES = 4096;             // what is looked for is shorter

export const mayReadMemory = process.getuid() === 0;

function mappings(pid) {
  return readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n').flatMap((line) => {
    const [, from, to, mode, name] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/.exec(line);
    const range = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
    // Not memory of the process: the kernel's clock pages, and ASan's reservations.
    const memory = !/^\[v(var|syscall)/.test(name) && range[1] - range[0] < RESERVED_BYTES;
    return mode[0] === 'r' && memory ? [range] : [];
  });
}

// Calls `look(bytes)` with all of it, a piece at a time; how many bytes there were. Pages
// that were never touched cannot be read and hold nothing.
export function eachPiece(pid, look) {
  const mem = openSync(`/proc/${pid}/mem`, 'r');
  const buffer = Buffer.alloc(CHUNK_BYTES + OVERLAP_BYTES);
  let total = 0;
  try {
    for (const [from, to] of mappings(pid))
      for (let at = from; at < to; at += CHUNK_BYTES) {
        const want = Math.min(to - at, buffer.length);
        let got = 0;
        try {
          got = readSync(mem, buffer, 0, want, at);
        } catch (error) {
          if (error.code !== 'EIO') throw error;
        }
        look(buffer.subarray(0, got));
        total += Math.min(got, CHUNK_BYTES);
      }
  } finally {
    closeSync(mem);
  }
  return total;
}

// Which of these texts stand in the memory of a process.
export function foundInMemory(pid, texts) {
  const found = new Set();
  const bytes = eachPiece(pid, (piece) => {
    for (const text of texts)
      if (piece.includes(text)) found.add(text);
  });
  return { found: [...found], bytes };
}
