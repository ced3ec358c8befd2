// clock.mjs - a clock that the test moves, for engines and the Redis that they use: what
// takes days passes in seconds. See tests/preload/fake_clock.c.
//
//   const clock = new Clock();
//   const engine = new Engine({ env: clock.env, flags: ['--redis-server', clock.program('redis-server')] });
//   const redis = new Redis([], clock.env);
//   await clock.pass(24 * HOUR_MS, engine);
//
// An attempt that is under way when time passes has timed out: let it end before.
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { build, folder } from './engine.mjs';
import { within } from './wait.mjs';

export const SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS;

// Over a connection of its own: time may have ended the others.
function wake(engine) {
  const answered = new Promise((done, failed) => {
    request(`${engine.url}/healthz`, { agent: false }, (res) => res.resume().once('close', done))
      .once('error', failed).end();
  });
  return within(answered, 'an engine that answers after time passed');
}

export class Clock {
  #dir = folder('mh-clock-');
  #file = join(this.#dir, 'ahead');
  #wall_ms = 0;
  #mono_ms = 0;

  constructor() {
    writeFileSync(this.#file, Buffer.alloc(16));
  }

  // The environment of a program that goes by this clock.
  get env() {
    return { LD_PRELOAD: resolve(build, 'fake_clock.so'), FAKE_CLOCK: this.#file,
             ASAN_OPTIONS: 'verify_asan_link_order=0' };
  }

  // A program that does so whatever its environment is: what an engine starts has none.
  program(name) {
    const path = join(this.#dir, name);
    const env = Object.entries(this.env).map(([key, value]) => `${key}='${value}'`).join(' ');
    writeFileSync(path, `#!/bin/sh\nexec env ${env} ${name} "$@"\n`, { mode: 0o755 });
    return path;
  }

  // Unix time in ms, as the programs have it.
  now() { return Date.now() + this.#wall_ms; }

  // `ms` pass at once; these engines have done what was due by then, or begun it.
  async pass(ms, ...engines) {
    this.#mono_ms += ms;
    this.set(ms);
    await Promise.all(engines.map(wake));
  }

  // Somebody sets the wall clock: `ms` forward, or back. No time passes.
  set(ms) {
    this.#wall_ms += ms;
    this.#write();
  }

  // Somebody sets it so far beside that of the machine.
  setTo(ms) { this.set(ms - this.#wall_ms); }

  #write() {
    const file = openSync(this.#file, 'r+');
    writeSync(file, new BigInt64Array([BigInt(this.#wall_ms), BigInt(this.#mono_ms)]), 0, 16, 0);
    closeSync(file);
  }
}
