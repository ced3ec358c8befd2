// neighbour.mjs - another plugin of the same engine that is asked all the time: how long
// it takes to answer is how much it feels of an attack.
import { setTimeout as sleep } from 'node:timers/promises';
import { PluginFolder } from '../../integration/lib/plugins.mjs';

const PAUSE_MS = 4;                     // between two questions, so that cores have rest

export class Neighbour {
  samples = [];                         // milliseconds, in order
  #asking = false;
  #done;

  constructor(engine) { this.engine = engine; }

  async start() {
    const folder = new PluginFolder('neighbour', `permissions = { "events:read" },
      on_event = function(event) return { heard = event.data.n, type = type("") .. tostring(1) } end,`);
    await this.engine.ok(200, folder.install(this.engine));
    this.#asking = true;
    this.#done = this.#ask();
  }

  async stop() {
    this.#asking = false;
    await this.#done;
  }

  async #ask() {
    for (let n = 0; this.#asking; n++) {
      const began = performance.now();
      const { results } = await this.engine.ok(200,
        this.engine.post('/api/events?wait=15000', { event: 'ask', data: { n } }));
      this.samples.push(performance.now() - began);
      const row = results.find(({ plugin }) => plugin === 'neighbour');
      if (row?.result?.heard !== n || row.result.type !== 'string1')
        throw new Error(`the neighbour answered ${JSON.stringify(results)}`);
      await sleep(PAUSE_MS);
    }
  }

  // The samples of the time in which `work` ran, and what it gave.
  async during(work) {
    const from = this.samples.length;
    const value = await work();
    return { value, samples: this.samples.slice(from) };
  }
}

// The value that `share` of the samples are not above.
export function percentile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
