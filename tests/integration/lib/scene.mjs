// scene.mjs - several engines on one Redis, a receiver that counts, and a flood of events: what
// tests of faults under load share. Each scene has keys of its own, so that several may play
// at once.
import assert from 'node:assert/strict';
import { Engine } from './engine.mjs';
import { Ledger } from './ledger.mjs';
import { Flood, idsOf } from './producer.mjs';
import { Receiver } from './receiver.mjs';

export const ARRIVAL_MS = 60_000;
// Attempts of each engine. Few, because Node accepts one connection in a turn of its loop: on a
// busy machine the last of two hundred waited longer than an attempt may take.
const AT_ONCE = 16;
// What a crash may repeat (docs/architecture.md): the attempts under way at one endpoint, those
// whose record waits, and one batch of records under way.
export const REPEATED_MOST = AT_ONCE + 512 + 256;
const AHEAD = 3000;                         // accepted and not arrived: both go on all the time
const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');

let scenes = 0;

export class Scene {
  ledger = new Ledger();
  receiver = new Receiver();
  engines = [];                             // those that events are sent to
  all = [];

  constructor(redis, flags = []) {
    this.redis = redis;
    this.prefix = `scene${++scenes}`;
    this.flags = ['--redis', redis.url, '--prefix', this.prefix, '--webhook-concurrency', String(AT_ONCE), ...flags];
    this.receiver.keep = false;
    this.receiver.answer = (request) => this.ledger.take(request);
  }

  // With so many engines, and one endpoint.
  async start(count, endpoint = {}) {
    await this.receiver.start();
    for (let n = 0; n < count; n++) await this.join();
    await this.engines[0].webhook(this.receiver.url, endpoint);
    return this;
  }

  async join() {
    const engine = new Engine({ env: { MOONHOOK_MASTER_KEY: MASTER_KEY }, flags: this.flags });
    this.all.push(await engine.start());
    this.engines.push(engine);
    return engine;
  }

  // No event is sent to it any more. In order with stop(), or as a crash with kill().
  leave() { return this.engines.shift(); }

  flood(count, { ahead = AHEAD } = {}) {
    const flood = new Flood(this.engines, idsOf('own', count), { mayGo: () =>
      this.ledger.until(() => flood.accepted.size - this.ledger.size < ahead, 'arrivals', ARRIVAL_MS) });
    flood.ended = flood.run();
    return flood;
  }

  atLeast(count) { return this.ledger.atLeast(count, ARRIVAL_MS); }

  // Every one of them arrived as it was, and that is the end of it: nobody holds a delivery.
  async arrived(flood) {
    await flood.ended;
    await this.atLeast(flood.accepted.size).catch(() => {});
    assert.deepEqual(this.ledger.missing(flood.accepted), [], 'accepted, and never arrived');
    for (const engine of this.engines) await engine.idle();
    assert.equal(this.ledger.strangers, 0, 'a repeat had another id or another body');
  }

  // The ids of the events that Redis has under this engine's name.
  async heldBy(name) {
    const keys = await this.redis.cli('--scan', '--pattern', `${this.prefix}:*own:${name}`);
    const members = await Promise.all(keys.split('\n').filter(Boolean).map((key) => this.redis.cli('smembers', key)));
    return members.flatMap((text) => text.split('\n')).filter(Boolean).map((key) => key.match(/\/(.*)~/)[1]);
  }

  // Redis has an engine of this name.
  async knows(name) {
    const [key] = (await this.redis.cli('--scan', '--pattern', `${this.prefix}:*engines`)).split('\n');
    return await this.redis.cli('zscore', key, name) !== '';
  }

  logged(text) { return this.all.flatMap((engine) => engine.lines).filter((line) => line.includes(text)); }

  async stop() {
    await Promise.all(this.engines.map((engine) => engine.stop()));
    await this.receiver.stop();
  }
}

// The name by which Redis knows an engine now.
export const nameOf = (engine) => engine.lines.findLast((line) => line.includes('event=queue_joined'))
  .match(/engine=(\w+)/)[1];
