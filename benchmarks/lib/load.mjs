// load.mjs - the load, the alternation of the two sides, and medians.
//
// A machine that others use is now fast, now slow. So both sides run in turn, in short
// rounds (A B A B ...), and what counts is the median over the rounds.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ending } from './proc.mjs';

const SCRIPT = fileURLToPath(new URL('wrk.lua', import.meta.url));

export const ALERT = {
  severity: 'critical', title: 'Checkout latency above objective', service: 'checkout-api',
  value: 1873.4, threshold: 800, agent_id: 'agent-7f3a', region: 'eu-central-1',
  description: 'p99 of POST /cart/checkout stayed above 800 ms for 5 minutes. The number of '
    + 'open connections to the orders database rose from 40 to 212 in the same time; the last '
    + 'deployment, of orders-api 4.11, was 12 minutes before.',
  labels: { team: 'payments', tier: '1', cluster: 'blue', env: 'prod1' },
};
/** The event that everything is measured with: 500 bytes. */
export const EVENT = JSON.stringify({ event: 'alert', data: ALERT });

/** POSTs EVENT as fast as the answers come. Fails unless every answer was `status`. */
export async function wrk({ url, key, status, seconds, connections, answers = false }) {
  const { stdout } = await promisify(execFile)('wrk', ['-t1', `-c${connections}`,
    `-d${seconds}s`, '--timeout', '10s', '-s', SCRIPT, url, '--', key, EVENT, String(status),
    answers ? 'read' : 'skip']);
  const result = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{')));
  if (result.failed > 0)
    throw new Error(`${result.failed} of ${result.requests} answers were not ${status}`);
  return result;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** What `after` has more than `before`, by name, and the sum of it. */
export function difference(before, after) {
  const by = {};
  for (const name in after) by[name] = after[name] - (before[name] ?? 0);
  return { by, sum: Object.values(by).reduce((a, b) => a + b, 0) };
}

/** Starts every side, measures each `rounds` times in turn after one warm-up, stops them.
 *  sides: {name: start() -> side with stop()}; measure(side, warm) -> {field: number}.
 *  Gives {name: {field: median}}, or {name: {missing: why}}: one side's failure is its own. */
export async function alternate(sides, rounds, measure) {
  const started = {}, samples = {}, result = {};
  const attempt = async (name, work) => {
    if (result[name]) return;
    try { await work(); } catch (error) {
      const { child } = started[name] ?? {};
      const why = String(error.stderr ?? '').trim() || error.message;
      result[name] = { missing: (child && ending(child)) ?? why };
    }
  };
  for (const name in sides) {
    await attempt(name, async () => { started[name] = await sides[name](); });
  }
  for (let round = 0; round <= rounds; round++)
    for (const name in started)
      await attempt(name, async () => {
        const sample = await measure(started[name], round === 0);
        if (round > 0) (samples[name] ??= []).push(checked(sample));
      });
  for (const name in started) await started[name].stop();
  for (const name in samples) result[name] ??= medians(samples[name]);
  return result;
}

function checked(sample) {
  const wrong = Object.keys(sample).find((field) => !Number.isFinite(sample[field]));
  if (wrong) throw new Error(`${wrong} is ${sample[wrong]}`);
  return sample;
}

function medians(samples) {
  const names = new Set(samples.flatMap(Object.keys));
  return Object.fromEntries([...names].map((n) => [n, median(samples.map((s) => s[n] ?? 0))]));
}
