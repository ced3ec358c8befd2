// ledger.mjs - what arrived, by its id: what never came, what came again, and whether it was
// then what it had been. For tests that break things while thousands of events are on their way.
import { Arrivals } from './wait.mjs';

export class Ledger {
  strangers = 0;                        // requests whose id or body is not what it was
  repeats = 0;
  #seen = new Map();                    // id -> { body, count }
  #newest = 0;                          // connection of what was new last
  #fresh = new Arrivals();              // one for each id

  // An answer for Receiver.answer.
  take({ json, body, headers, connection }) {
    if ((headers['webhook-id'] ?? json.id) !== json.id) this.strangers++;
    const known = this.#seen.get(json.id);
    if (known) {
      if (known.body !== body) this.strangers++;
      known.count++;
      this.repeats++;
    } else {
      this.#seen.set(json.id, { body, count: 1 });
      this.#newest = Math.max(this.#newest, connection);
      this.#fresh.add(connection);
    }
    return {};
  }

  get size() { return this.#seen.size; }
  has(id) { return this.#seen.has(id); }
  count(id) { return this.#seen.get(id)?.count ?? 0; }
  missing(ids) { return [...ids].filter((id) => !this.has(id)); }

  // The most that one id came.
  get most() {
    let most = 0;
    for (const { count } of this.#seen.values()) most = Math.max(most, count);
    return most;
  }

  atLeast(count, ms) { return this.until(() => this.size >= count, `${count} events`, ms); }
  until(holds, what, ms) { return this.#fresh.until(holds, what, ms); }

  // Something new by a connection that was made after this one.
  freshBehind(connection, ms) {
    return this.until(() => this.#newest > connection, 'a new delivery', ms);
  }
}
