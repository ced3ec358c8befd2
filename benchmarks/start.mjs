// start.mjs - from spawning a sandbox until it says it is ready, jail and setup included,
// as the engine reports it. A reload starts a new process, so reload it often.
import { startEngine } from './lib/engine.mjs';
import { alternate, median } from './lib/load.mjs';

const RELOADS = 30;

async function round(engine) {
  const times = [];
  for (let i = 0; i < RELOADS; i++) {
    await engine.api('POST', '/api/plugins/bench-hook/reload');
    const [{ metrics }] = await engine.api('GET', '/api/plugins/installed');
    times.push(metrics.start_ms);
  }
  return { p50_ms: median(times), max_ms: Math.max(...times) };
}

export async function start({ fsync }) {
  const { moonhook } = await alternate(
    { moonhook: () => startEngine({ fsync, plugins: ['bench-hook'] }) }, 1, round);
  return [
    { what: 'plugin start, p50 (aim: <= 3 ms)', unit: 'ms', field: 'p50_ms', moonhook },
    { what: `plugin start, slowest of ${RELOADS}`, unit: 'ms', field: 'max_ms', moonhook },
  ];
}
