// hook.mjs - the round trip of a hook under load. POST /api/events?wait=MS answers with
// what the hook returned; its duration_ms is the engine's view, from CALL to RESULT. The
// client's view contains accepting the event durably, and is the one nginx has as well:
// there the hook is a function call.
import { startEngine } from './lib/engine.mjs';
import { alternate, wrk } from './lib/load.mjs';
import { startNginxPeer } from './peers/nginx.mjs';

async function round(side, seconds, connections) {
  const load = await wrk({ ...side, url: side.waitUrl, status: side.waitStatus, seconds,
    connections, answers: true });
  await side.settled();
  if (side.waitStatus === 200 && load.hook_p50_ms < 0) throw new Error('no duration_ms in answers');
  return load;
}

export async function hook({ fsync, rounds, seconds, connections }) {
  const { moonhook, peer } = await alternate({
    moonhook: () => startEngine({ fsync, plugins: ['bench-hook'] }),
    peer: () => startNginxPeer(fsync),
  }, rounds, (side, warm) => round(side, warm ? 1 : seconds, connections));
  const unit = 'ms', beside = { unit, moonhook, peer, name: 'nginx+Lua+XADD' };
  return [
    { what: 'hook round trip, p50 (aim: < 1 ms)', unit, field: 'hook_p50_ms', moonhook },
    { what: 'hook round trip, p99', unit, field: 'hook_p99_ms', moonhook },
    { what: 'event to hook result, client, p50', field: 'latency_p50_ms', ...beside },
    { what: 'event to hook result, client, p99', field: 'latency_p99_ms', ...beside },
  ];
}
