// step_clock.mjs - a wall clock for some programs that a test sets while they run: what
// step_clock.c is for. The monotonic clock and the test's own go on as ever.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { folder } from './engine.mjs';

const SOURCE = fileURLToPath(new URL('step_clock.c', import.meta.url));

export class StepClock {
  #dir = folder('mh-clock-');
  #file = openSync(join(this.#dir, 'step'), 'w+');

  constructor() {
    this.set(0);
    execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', SOURCE,
                         '-o', join(this.#dir, 'step_clock.so')]);
  }

  // Of the programs that are to live by it. A sanitizer that is not the first library does
  // not mind this one.
  get env() {
    return { LD_PRELOAD: join(this.#dir, 'step_clock.so'), STEP_CLOCK: join(this.#dir, 'step'),
             ASAN_OPTIONS: 'quarantine_size_mb=1:verify_asan_link_order=0' };
  }

  // So many seconds beside the real time, at once.
  set(seconds) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    writeSync(this.#file, bytes, 0, 8, 0);
  }

  close() { closeSync(this.#file); }
}
