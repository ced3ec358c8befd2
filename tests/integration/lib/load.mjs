// load.mjs - a steady load: a producer that goes on whatever it is told and remembers
// every answer, and a receiver that counts what came. What was answered 202 must arrive;
// what was refused must be whole or not there at all.
import assert from 'node:assert/strict';
import { request, Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './wait.mjs';

const LINES = 24, REFUSED_PAUSE_MS = 60, ANSWER_MS = 20_000, LOOKED_AT = 60;

// One POST; { status, retryAfter, ms }, status 0 where no answer came.
function post(agent, engine, body) {
  const began = Date.now(), { hostname, port } = new URL(engine.url);
  return new Promise((resolve) => {
    const end = (status, retryAfter) => resolve({ status, retryAfter, ms: Date.now() - began });
    const req = request({ agent, hostname, port, method: 'POST', path: '/api/events', timeout: ANSWER_MS,
      headers: { authorization: `Bearer ${engine.key}`, 'content-type': 'application/json' } }, (res) => {
      res.resume();
      res.on('error', () => end(0));
      res.on('end', () => end(res.statusCode, res.headers['retry-after']));
    });
    req.on('error', () => end(0)).on('timeout', () => req.destroy()).end(body);
  });
}

export class Load {
  accepted = new Map();                 // id -> when it was sent, by performance.now()
  refused = [];                         // { id, status, retryAfter, ms, sent }
  arrived = new Map();                  // id -> how often it came and was taken
  #stopped = false;
  #lines = [];
  #agent = new Agent({ keepAlive: true, maxSockets: LINES });

  // `name`: no other load may have it, or its events are repeats.
  constructor(engine, receiver, name) {
    this.engine = engine;
    this.name = name;
    receiver.reset();
    receiver.answer = ({ json }) => {
      receiver.requests.length = 0;     // thousands of bodies that nobody looks at
      const said = this.answer(json);
      if (!said.status && !said.hang) this.arrived.set(json.id, (this.arrived.get(json.id) ?? 0) + 1);
      return said;
    };
  }

  type = () => 'alert';                 // of the events of a line
  answer = () => ({});                  // what the receiver says to an event

  start() {
    this.#lines = Array.from({ length: LINES }, (_, line) => this.#run(line));
    return this;
  }

  async #run(line) {
    for (let n = 0; !this.#stopped; n++) {
      const id = `${this.name}-${line}-${n}`, sent = performance.now();
      const got = await post(this.#agent, this.engine, JSON.stringify({ event: this.type(line), id, data: { id } }));
      if (got.status === 202) this.accepted.set(id, sent);
      else this.refused.push({ id, sent, ...got });
      if (got.status !== 202) await sleep(REFUSED_PAUSE_MS);
    }
  }

  // Waits until `more` further events were accepted.
  async accept(more, ms) {
    const goal = this.accepted.size + more;
    await eventually(() => this.accepted.size >= goal, `${more} more accepted events`, ms);
  }

  // When the first of the accepted ones was sent that were sent after `moment`; waits for it.
  acceptedSince(moment, ms) {
    return eventually(() => [...this.accepted.values()].find((sent) => sent > moment), 'events accepted again', ms);
  }

  refusedSince(moment) { return this.refused.filter(({ sent }) => sent > moment); }

  async stop() {
    this.#stopped = true;
    await Promise.all(this.#lines);
    this.#agent.destroy();
  }

  get lost() { return [...this.accepted.keys()].filter((id) => !this.arrived.has(id)); }
  get repeats() { return [...this.arrived.values()].reduce((sum, n) => sum + n - 1, 0); }

  // Everything that was accepted has arrived; fails with how many did not.
  async delivered(ms) {
    await eventually(() => this.lost.length === 0, 'every accepted event', ms).catch(() => {});
    assert.equal(this.lost.length, 0, `accepted and never delivered: ${this.lost.slice(0, 5)}`);
    await this.engine.idle();
  }

  // A refused event is whole or not there: either nobody knows it, or it is stored with its
  // delivery and that was made (its 202 was lost on the way). The edges of the fault are in.
  async assertNothingHalf() {
    const of = this.refused.map(({ id }) => id), third = LOOKED_AT / 3, middle = of.length >> 1;
    const looked = new Set([...of.slice(0, third), ...of.slice(middle, middle + third), ...of.slice(-third)]);
    for (const id of looked) {
      const { status, json } = await this.engine.get(`/api/events/${id}`);
      if (status === 404) assert.ok(!this.arrived.has(id), `${id} is not stored and was delivered`);
      else assert.deepEqual([status, json.deliveries.map((d) => d.status), this.arrived.has(id)],
                            [200, ['delivered'], true], `${id} is half there`);
    }
  }
}
