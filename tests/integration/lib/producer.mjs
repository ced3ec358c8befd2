// producer.mjs - a producer that does not give up: events under ids of their own, each
// sent again until it is accepted, while a test breaks things.
import { setTimeout as sleep } from 'node:timers/promises';

const AGAIN_MS = 50, ANSWER_MS = 10_000;

export class Producer {
  accepted = new Map();                 // id -> when it was answered 202, by Date.now()
  refused = 0;
  #stopped = false;
  #lines = [];

  // `lines` events are under way at once, to any of the engines in turn.
  start(engines, { name = 'own', lines = 4 } = {}) {
    this.#lines = Array.from({ length: lines }, (_, n) =>
      this.#run(engines[n % engines.length], `${name}-${n}`));
    return this;
  }

  async #run(engine, name) {
    for (let n = 0; !this.#stopped; n++)
      while (!await this.#send(engine, `${name}-${n}`) && !this.#stopped) await sleep(AGAIN_MS);
  }

  async #send(engine, id) {
    const body = JSON.stringify({ event: 'alert', id, data: { id } });
    const got = await engine.send('POST', '/api/events', { body, ms: ANSWER_MS }).catch(() => null);
    if (got?.status === 202) this.accepted.set(id, Date.now());
    else this.refused++;
    return got?.status === 202;
  }

  // Ends when what is under way was answered.
  async stop() {
    this.#stopped = true;
    await Promise.all(this.#lines);
    return this.accepted;
  }
}
