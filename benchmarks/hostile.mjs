// hostile.mjs - what a thousand connections to receivers that misbehave cost in memory: each
// holds its connection in another state (lib/hostile.mjs of the integration tests), with as much
// kept for it as the limits allow; the engine's peak (VmHWM) against what it had before, when
// it had met each of them once.
import { holding, serveRow } from '../tests/integration/lib/hostile.mjs';
import { makeCertificates } from '../tests/integration/lib/certificates.mjs';
import { startEngine } from './lib/engine.mjs';
import { memoryOf, tempDir, until } from './lib/proc.mjs';

const CONNECTIONS = 1000, TIMEOUT_S = 20;

// Delivers one event of this type to `count` endpoints, which are all open at once; returns how
// many had ended before the last was.
async function meet(engine, receivers, type, count) {
  const open = () => receivers.reduce((sum, one) => sum + one.connections, 0);
  const failed = () => engine.metric('moonhook_attempts_failed_total');
  const opened = open() + count, ended = await failed();
  for (let n = 0; n < count; n++)
    await engine.target('/api/webhooks',
                        { url: `${receivers[n % receivers.length].url}${n}`, events: [type] });
  await engine.api('POST', '/api/events', { event: type, data: { text: 'x'.repeat(500) } });
  await until(() => open() >= opened, `${count} connections`, { child: engine.child, seconds: TIMEOUT_S });
  const early = await failed() - ended;
  await until(async () => await failed() === ended + count, 'the end of all',
              { child: engine.child, seconds: 2 * TIMEOUT_S });
  return early;
}

async function measure(engine, receivers) {
  await meet(engine, receivers, 'warm.up', receivers.length);
  const before = memoryOf(engine.child.pid);
  const early = await meet(engine, receivers, 'alert', CONNECTIONS);
  const after = memoryOf(engine.child.pid);
  return { grown_mib: (after.peak_kib - before.now_kib) / 1024,
    kept_mib: (after.now_kib - before.now_kib) / 1024, early };
}

export async function hostile({ fsync }) {
  const certificates = makeCertificates(tempDir());
  const receivers = await Promise.all(holding.map((row) => serveRow(row, certificates)));
  const engine = await startEngine({ fsync, flags: ['--webhook-timeout', `${TIMEOUT_S}s`,
    '--retry-schedule', '0s', '--ca-file', certificates.caFile] });
  const moonhook = await measure(engine, receivers);
  for (const one of receivers) one.stop();
  await engine.stop();
  if (moonhook.early > 0) moonhook.missing = `${moonhook.early} attempts ended before all had begun`;
  return [
    { what: `growth by ${CONNECTIONS} hostile connections (aim: <= 64 MiB)`, unit: 'MiB',
      field: 'grown_mib', moonhook },
    { what: 'of that still there when they are over', unit: 'MiB', field: 'kept_mib', moonhook },
  ];
}
