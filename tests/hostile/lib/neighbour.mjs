// neighbour.mjs - another plugin of the same engine that is asked all the time: how long
// it takes to answer is how much it feels of an attack. It is asked by a thread of its own,
// so that what the runner does meanwhile is not in the times.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PluginFolder } from '../../integration/lib/plugins.mjs';

export class Neighbour {
  samples = [];                         // milliseconds, in order
  #worker;
  #ended;

  constructor(engine) { this.engine = engine; }

  async start() {
    const folder = new PluginFolder('neighbour', `permissions = { "events:read", "storage" },
      on_event = function(event)
        if event.data.n == 0 then require("moonhook.store").set("secret", "the neighbour's own") end
        return { heard = event.data.n, type = type("") .. tostring(1) }
      end,`);
    await this.engine.ok(200, folder.install(this.engine));
    const { url, key } = this.engine;
    this.#worker = new Worker(new URL('./asks.mjs', import.meta.url), { workerData: { url, key } });
    this.#worker.on('message', (ms) => this.samples.push(ms));
    this.#ended = once(this.#worker, 'exit');       // rejects with what a wrong answer threw
    this.#ended.catch(() => {});
  }

  async stop() {
    this.#worker.postMessage('stop');
    await this.#ended;
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
