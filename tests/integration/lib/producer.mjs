// producer.mjs - a producer that does not give up: events under ids of their own, each
// sent again until it is accepted, while a test breaks things.
import { setTimeout as sleep } from 'node:timers/promises';

const AGAIN_MS = 50, ANSWER_MS = 10_000;

export class Producer {
  accepted = new Map();                 // id -> when it was answered 202, by Date.now()
  refused = 0;
  #stopped = false;
  #lines = [];
  #org;

  // `lines` events are under way at once, to any of the engines in turn.
  start(engines, { name = 'own', lines = 4, org } = {}) {
    this.#org = org;
    this.#lines = Array.from({ length: lines }, (_, n) =>
      this.#run(engines[n % engines.length], `${name}-${n}`));
    return this;
  }

  async #run(engine, name) {
    for (let n = 0; !this.#stopped; n++)
      while (!await this.#send(engine, `${name}-${n}`) && !this.#stopped) await sleep(AGAIN_MS);
  }

  async #send(engine, id) {
    const body = JSON.stringify({ event: 'alert', id, org_id: this.#org, data: { id } });
    const got = await engine.send('POST', '/api/events', { body, ms: ANSWER_MS }).catch(() => null);
    if (got?.status === 202) this.accepted.set(id, Date.now());
    else this.refused++;
    return got?.status === 202;
  }

  // The longest time within which none was accepted, from `since` to `until`, in ms.
  longestPause(since, until) {
    const times = [...this.accepted.values()].filter((at) => at > since && at < until).sort((a, b) => a - b);
    return Math.max(...[...times, until].map((at, n) => at - (times[n - 1] ?? since)));
  }

  // Ends when what is under way was answered.
  async stop() {
    this.#stopped = true;
    await Promise.all(this.#lines);
    return this.accepted;
  }
}

// Many events in batches: `ids`, each sent again until it is accepted, by one of the engines
// that are in `engines` at that moment.
export class Flood {
  accepted = new Set();
  refused = 0;                          // batches that were not answered, or not by 200
  #ids;
  #turn = 0;

  // `fields`: of every event. `mayGo`: waits until the next batch may go.
  constructor(engines, ids, { fields = {}, batch = 100, mayGo = async () => {} } = {}) {
    Object.assign(this, { engines, fields, batch, mayGo });
    this.#ids = [...ids];
  }

  // Ends when all are accepted.
  async run(lines = 3) {
    await Promise.all(Array.from({ length: lines }, () => this.#line()));
    return this.accepted;
  }

  async #line() {
    while (this.#ids.length > 0) {
      await this.mayGo();
      const batch = this.#ids.splice(0, this.batch), taken = new Set(await this.#send(batch));
      for (const id of taken) this.accepted.add(id);
      this.#ids.unshift(...batch.filter((id) => !taken.has(id)));
      if (taken.size === 0) await sleep(AGAIN_MS);
    }
  }

  // Those that were accepted. An event whose answer was lost or an error is not.
  async #send(ids) {
    const engine = this.engines[this.#turn++ % this.engines.length];
    const body = ids.map((id) =>
      JSON.stringify({ event: 'alert', ...this.fields, id, data: { id } })).join('\n');
    const got = await engine?.send('POST', '/api/events/batch',
      { body, type: 'application/x-ndjson', ms: ANSWER_MS }).catch(() => null);
    if (got?.status === 200) return ids.filter((id, i) => got.json.items[i].id === id);
    this.refused++;
    return [];                          // it was killed in the middle, or has just started
  }
}

export const idsOf = (name, count) => Array.from({ length: count }, (_, n) => `${name}-${n}`);
