// fault.mjs - one fault under a steady load, from before it begins until all is well again:
// what every fault has to keep (Q1, Q5, Q6), and the figures of each as one line.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Load } from './load.mjs';
import { memoryKibOf } from './process.mjs';
import { eventually } from './wait.mjs';

export const RESUME_MS = 5000;          // Q5
const AT_ONCE_MS = 3000;                // far less than any time-out that could hide there
const BEFORE = 500, AFTER = 500;        // accepted events on each side of the fault
const HOLD_MS = 1000;                   // how long it lasts, once it was noticed
const TRANSITIONS = 4;                  // log lines: it went, it is back, the queue has joined
const GROWN_MAX_KIB = 64 * 1024;

// What freed memory is kept by the sanitizer would count as the engine's.
export const MEASURED = { ASAN_OPTIONS: 'quarantine_size_mb=1' };

let loads = 0;

export const rss = (engine) => memoryKibOf(engine.pid, 'VmRSS');
export const peak = (engine) => memoryKibOf(engine.pid, 'VmHWM');

async function readiness(engine) {
  const { status, json, headers } = await engine.get('/readyz');
  return { green: status === 200, detail: json.detail, retryAfter: headers.get('retry-after') };
}

export const green = (engine, ms) => eventually(async () => (await readiness(engine)).green, 'a green /readyz', ms);

// What /readyz says while it is red for a reason that fits.
export const redBecause = (engine, reason, ms) => eventually(async () => {
  const { green: isGreen, detail } = await readiness(engine);
  return !isGreen && reason.test(detail) && detail;
}, `a red /readyz that says ${reason}`, ms);

// Lines of the log about Redis, that is all but those about attempts.
const linesOf = (engine) => engine.lines.filter((line) => !/event=attempt_failed/.test(line)).length;

// `fault`: { begin(), end() }, and what it is known by: `reason` in /readyz. While it lasts
// every event is refused at once; when it ended the engine goes on by itself. One that is
// `slow` is none that refuses, only that makes wait.
export async function underFault(t, engine, receiver, fault) {
  const load = new Load(engine, receiver, `load-${++loads}`);
  fault.prepare?.(load);
  load.start();
  t.after(() => load.stop());
  await load.accept(BEFORE);
  const before = rss(engine);

  const logged = linesOf(engine), began = performance.now();
  await fault.begin(load);
  if (!fault.slow) await redBecause(engine, fault.reason);
  const noticed = performance.now();
  await sleep(fault.holdMs ?? HOLD_MS);
  const ending = performance.now();
  await fault.end(load);
  const ended = performance.now();
  const resumed = await load.acceptedSince(ended, RESUME_MS) - ended;
  await green(engine, RESUME_MS);
  const lines = linesOf(engine) - logged, seconds = Math.ceil((performance.now() - began) / 1000);

  await load.accept(AFTER);
  await load.stop();
  await load.delivered();
  const grown = peak(engine) - before;
  t.diagnostic(`accepted=${load.accepted.size} refused=${load.refused.length} lost=${load.lost.length} `
    + `repeats=${load.repeats} noticed_ms=${Math.round(noticed - began)} resumed_ms=${Math.round(resumed)} `
    + `log_lines=${lines} in_s=${seconds} rss_before_mib=${before >> 10} rss_peak_mib=${peak(engine) >> 10}`);

  const during = load.refusedSince(noticed).filter(({ sent }) => sent < ending);
  if (!fault.slow) assert.ok(during.length > 0, 'nothing was refused');
  for (const { status, retryAfter } of load.refused) {
    assert.equal(status, 503);
    assert.match(retryAfter, /^\d+$/);
  }
  for (const { ms } of during) assert.ok(ms < AT_ONCE_MS, `refused after ${ms} ms`);
  if (fault.refuses !== undefined) assert.equal(load.refused.length, fault.refuses);
  const meanwhile = [...load.accepted.values()].filter((sent) => sent > noticed && sent < ending);
  if (!fault.slow) assert.equal(meanwhile.length, 0, 'accepted meanwhile');
  await load.assertNothingHalf();
  assert.ok(lines <= seconds + (fault.transitions ?? TRANSITIONS), `${lines} log lines in ${seconds} s`);
  assert.ok(grown < GROWN_MAX_KIB, `${grown} KiB more`);
  return load;
}
