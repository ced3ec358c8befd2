// port.mjs - ports on loopback for programs that cannot choose one themselves, such as
// redis-server, which also must get the same one again after a crash.
//
// A port that the kernel would choose can be anybody's a moment later: of a connection, of
// another test's server. These lie below those that the kernel gives out by itself, and each
// is this process's until it ends: it holds the UDP port of the same number, which nobody
// else here wants and which no crash leaves behind.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const COUNT = 8000;
const LOWEST = 2000;
const FIRST = Math.max(LOWEST, Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0]) - COUNT);
let next = Math.floor(Math.random() * COUNT);

async function listening(handle, event, begin) {
  const bound = once(handle, event);              // an error rejects it
  begin();
  return bound.then(() => true, () => false);
}

// The UDP port is held until the process ends; false where another process has it.
async function hold(port) {
  const lock = createSocket('udp4');
  const held = await listening(lock, 'listening', () => lock.bind({ port, address: '127.0.0.1', exclusive: true }));
  if (held) lock.unref();
  else lock.close();
  return held;
}

// Nobody who knows nothing of this file listens there.
async function isFree(port) {
  const server = createServer();
  if (!await listening(server, 'listening', () => server.listen(port, '127.0.0.1'))) return false;
  server.close();
  await once(server, 'close');
  return true;
}

export async function freePort() {
  for (let tried = 0; tried < COUNT; tried++) {
    const port = FIRST + next++ % COUNT;
    if (await hold(port) && await isFree(port)) return port;
  }
  throw new Error(`no free port between ${FIRST} and ${FIRST + COUNT}`);
}
