// accept.mjs - an event accepted durably and one hook run for it: how many a second, and
// what that costs. CPU time is all of engine, sandboxes and Redis (nginx and Redis),
// until the last hook is done, over the events that the server says it accepted.
import { startEngine } from './lib/engine.mjs';
import { alternate, difference, wrk } from './lib/load.mjs';
import { startNginxPeer } from './peers/nginx.mjs';

export async function acceptRound(side, seconds, connections) {
  const before = { cpu: side.cpu(), events: await side.accepted() };
  const load = await wrk({ ...side, seconds, connections });
  await side.settled();
  const events = await side.accepted() - before.events;
  // wrk hangs up with at most one request a connection unanswered.
  if (events < load.requests || events > load.requests + connections)
    throw new Error(`${load.requests} answers of ${side.status}, but ${events} events accepted`);
  const cpu = difference(before.cpu, side.cpu());
  const parts = Object.entries(cpu.by).map(([name, us]) => [`cpu ${name}`, us / events]);
  return { rate: load.requests / load.seconds, cpu_us: cpu.sum / events,
    ...Object.fromEntries(parts) };
}

export async function accept({ fsync, rounds, seconds, connections }) {
  const { moonhook, peer } = await alternate({
    moonhook: () => startEngine({ fsync, plugins: ['bench-hook'] }),
    peer: () => startNginxPeer(fsync),
  }, rounds, (side, warm) => acceptRound(side, warm ? 1 : seconds, connections));
  const name = 'nginx+Lua+XADD';
  return [
    { what: 'events accepted, one hook each', unit: '/s', field: 'rate', moonhook, peer, name },
    { what: 'CPU per event (aim: ratio <= 1)', unit: 'us', field: 'cpu_us', moonhook, peer, name },
  ];
}

/** What forcing every event to disk costs: moonhook against itself. */
export async function fsync({ rounds, seconds, connections }) {
  const run = (fsync) => () => startEngine({ fsync, plugins: ['bench-hook'] });
  const { always: moonhook, everysec: peer } = await alternate(
    { always: run('always'), everysec: run('everysec') },
    rounds, (side, warm) => acceptRound(side, warm ? 1 : seconds, connections));
  const name = 'moonhook, everysec';
  return [
    { what: 'events accepted, fsync always', unit: '/s', field: 'rate', moonhook, peer, name },
    { what: 'CPU per event, fsync always', unit: 'us', field: 'cpu_us', moonhook, peer, name },
  ];
}
