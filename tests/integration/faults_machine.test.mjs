// faults_machine.test.mjs - Q1, Q5 and Q6 while the machine fails the engine and its own
// Redis: no room on the disk, a clock that steps, no descriptors left. The load and what it
// is held to are those of faults_redis.test.mjs.
import { after, before, describe, test } from 'node:test';
import { Engine } from './lib/engine.mjs';
import { MEASURED, underFault } from './lib/fault.mjs';
import { Receiver } from './lib/receiver.mjs';
import { SmallDisk } from './lib/small_disk.mjs';

const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

for (const fsync of ['always', 'everysec'])
  describe(`an engine whose own Redis has a full disk, with --redis-fsync ${fsync}`, () => {
    let disk, engine;
    before(async () => {
      disk = new SmallDisk(48);
      engine = await new Engine({ flags: ['--redis-fsync', fsync], data: disk.path, env: MEASURED }).start();
      await engine.webhook(receiver.url);
    });
    after(async () => {
      await engine?.stop();
      disk?.remove();
    });

    test(`refuses events, says so, and goes on when there is room (${fsync})`, (t) =>
      underFault(t, engine, receiver, { reason: /the disk is full: make room|No space left.*make room/, transitions: 7,
        begin: () => disk.fill(), end: () => disk.makeRoom() }));
  });
