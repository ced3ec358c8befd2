// small_disk.mjs - a file system of its own, so small that a test can fill it. It needs the
// right to mount, as root has it; a test that cannot get one fails and says so.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CHUNK = Buffer.alloc(64 * 1024), LAST_BYTE = Buffer.alloc(1);

export class SmallDisk {
  constructor(mib) {
    this.path = mkdtempSync(join(tmpdir(), 'mh-disk-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=700`, 'tmpfs', this.path], { stdio: 'pipe' });
    } catch (error) {
      rmdirSync(this.path);
      throw new Error('this test mounts a small tmpfs, which takes root (in a container: --cap-add SYS_ADMIN): '
        + error.stderr);
    }
    process.once('exit', () => this.remove());
  }

  get #ballast() { return join(this.path, 'ballast'); }

  // Until there is not one byte left.
  fill() {
    const file = openSync(this.#ballast, 'a');
    try {
      for (const piece of [CHUNK, LAST_BYTE]) this.#write(file, piece);
    } finally {
      closeSync(file);
    }
  }

  #write(file, piece) {
    try {
      for (;;) writeSync(file, piece);
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
    }
  }

  makeRoom() { rmSync(this.#ballast); }

  // Also while something of it is still in use.
  remove() {
    if (this.path === null) return;
    execFileSync('umount', ['-l', this.path]);
    rmdirSync(this.path);
    this.path = null;
  }
}
