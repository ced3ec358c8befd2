// hostile.mjs - receivers that misbehave, one row each: what they do with a connection, and
// the error code that an attempt at them ends with (`code`; none: it is delivered).
//
// A row is { name, code, serve(socket, told) } and, where they matter: `tls` (options of the
// server, or a function of the certificates), `raw` (an https address, but the row speaks for
// itself), `bytes` (of the event), `status`, `or`: the code when the reset comes before the
// engine has seen the connection. Everything is bounded by
// the connection: its end ends the row's timers and floods.
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { deflateRawSync, gzipSync } from 'node:zlib';

const OK = 'HTTP/1.1 200 OK\r\n';
const EMPTY = `${OK}Content-Length: 0\r\n\r\n`;
const MIB = 1 << 20;

// ---- What a row can do -------------------------------------------------------------------

// Runs `act` once the head of a request is there.
function onRequest(socket, act) {
  let head = '';
  const look = (bytes) => {
    head = (head + bytes.toString('latin1')).slice(-64 * 1024);
    if (!head.includes('\r\n\r\n')) return;
    socket.off('data', look).resume();
    act();
  };
  socket.on('data', look);
}

// Runs `act` at the end of each request; moonhook's have a Content-Length.
export function eachRequest(socket, act) {
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
    for (;;) {
      const head = text.indexOf('\r\n\r\n');
      const end = head + 4 + Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
      if (head < 0 || text.length < end) return;
      text = text.slice(end);
      act();
    }
  });
}

function every(socket, ms, act) {
  const timer = setInterval(act, ms).unref();
  socket.on('close', () => clearInterval(timer));
}

// One byte each `ms`.
function drip(socket, text, ms = 200) {
  let at = 0;
  every(socket, ms, () => socket.write(text[at++ % text.length]));
}

// The same bytes for as long as the other side takes them.
function flood(socket, bytes) {
  const go = () => { while (!socket.destroyed && socket.write(bytes)); };
  socket.on('drain', go);
  go();
}

const says = (text, then = 'end') => (socket) => onRequest(socket, () => {
  socket.write(text);
  if (then === 'end') socket.end();
  if (then === 'reset') setTimeout(() => socket.resetAndDestroy(), 50).unref();
});
const holds = (text) => says(text, 'hold');
const resets = (text) => says(text, 'reset');
const answers = (status, more = '') => says(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n${more}\r\n`);
const floods = (head, bytes) => (socket) => onRequest(socket, () => {
  socket.write(head);
  flood(socket, bytes);
});
const drips = (head, text) => (socket) => onRequest(socket, () => {
  socket.write(head);
  drip(socket, text);
});

function packed(codings, body) {
  return Buffer.concat([Buffer.from(`${OK}Content-Encoding: ${codings}\r\nContent-Length: ${body.length}\r\n\r\n`),
                        body]);
}

// 10 MB that unpack to 10 GB: deflate blocks end on a byte, so that they can be repeated.
function bomb() {
  const unit = deflateRawSync(Buffer.alloc(10 * MIB), { finishFlush: 2 });    // Z_SYNC_FLUSH
  const times = Math.ceil(10 * 1024 / 10);
  return Buffer.concat([gzipSync('').subarray(0, 10), ...Array(times).fill(unit)]);
}

const zeroes = (bytes, depth) => (depth === 0 ? Buffer.alloc(bytes) : gzipSync(zeroes(bytes, depth - 1)));

// A frame of zstd that says it needs a window of 128 MiB.
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00]);

// ---- The rows ----------------------------------------------------------------------------

const silent = [
  { name: 'that accepts and never reads', code: 'timeout', bytes: 900_000, serve: (s) => s.pause() },
  { name: 'that reads and never answers', code: 'timeout', serve: (s) => s.resume() },
  { name: 'that reads one byte at a time', code: 'timeout', bytes: 900_000,
    serve: (s) => { s.pause(); every(s, 100, () => s.read(1)); } },
  { name: 'that sends a status line a byte at a time', code: 'timeout', serve: drips('', 'HTTP/1.1 200 OK') },
  { name: 'that sends headers a byte at a time', code: 'timeout', serve: drips(OK, 'X-Slow: 1\r\n') },
  { name: 'that sends a body a byte at a time', code: 'timeout',
    serve: drips(`${OK}Content-Length: 1000000\r\n\r\n`, 'x') },
  { name: 'that sends a chunk header a byte at a time', code: 'timeout',
    serve: drips(`${OK}Transfer-Encoding: chunked\r\n\r\n`, '0') },
  { name: 'that stops in the middle of its headers', code: 'timeout', serve: holds(`${OK}Content-Le`) },
  { name: 'that declares 10 GB and falls silent', code: 'timeout',
    serve: holds(`${OK}Content-Length: 10737418240\r\n\r\nx`) },
  { name: 'that never ends its chunks', code: 'timeout',
    serve: holds(`${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`) },
  { name: 'that says 100 Continue and no more', code: 'timeout',
    serve: holds('HTTP/1.1 100 Continue\r\n\r\n') },
];

const large = [
  { name: 'with headers without end', code: 'too_large', serve: floods(OK, 'X-A: 1\r\n'.repeat(1000)) },
  { name: 'with thousands of headers', code: 'too_large',
    serve: says(`${OK}${Array.from({ length: 5000 }, (_, n) => `X-${n}: some value\r\n`).join('')}\r\n`) },
  { name: 'with a header of 1 MB', code: 'too_large', serve: says(`${OK}X-A: ${'a'.repeat(MIB)}\r\n\r\n`) },
  { name: 'with a status line of 1 MB', code: 'too_large',
    serve: says(`HTTP/1.1 200 ${'a'.repeat(MIB)}\r\n\r\n`) },
  { name: 'with a Location of 1 MB', code: 'too_large',
    serve: says(`HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/${'a'.repeat(MIB)}\r\n\r\n`) },
  { name: 'with a flood of 100 Continue', code: 'too_large',
    serve: floods('', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000)) },
  { name: 'with a flood of 103 Early Hints', code: 'too_large',
    serve: floods('', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(1000)) },
  { name: 'with trailers without end', truncated: true,
    serve: floods(`${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n`, 'X-A: 1\r\n'.repeat(1000)) },
  { name: 'with a body without end', truncated: true,
    serve: floods(`${OK}\r\n`, Buffer.alloc(64 * 1024, 120)) },
  { name: 'with a failure without end', code: 'status', status: 500, truncated: true,
    serve: floods('HTTP/1.1 500 No\r\n\r\n', Buffer.alloc(64 * 1024, 120)) },
  { name: 'with chunks without end', truncated: true,
    serve: floods(`${OK}Transfer-Encoding: chunked\r\n\r\n`, `1000\r\n${'x'.repeat(4096)}\r\n`.repeat(16)) },
  { name: 'with a gzip bomb of 10 GB', truncated: true, serve: (s) => says(packed('gzip', bomb()))(s) },
  { name: 'with a deflate bomb', truncated: true,
    serve: says(packed('deflate', deflateRawSync(Buffer.alloc(64 * MIB)))) },
];

const codings = [
  { name: 'with a bomb in two layers of gzip', code: 'protocol',
    serve: says(packed('gzip, gzip', zeroes(64 * MIB, 2))) },
  { name: 'with a hundred layers of gzip', code: 'protocol',
    serve: says(packed(Array(100).fill('gzip').join(', '), Buffer.from('x'))) },
  { name: 'with layers of gzip in header lines of their own', code: 'protocol',
    serve: says(packed('gzip\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip', zeroes(64 * MIB, 3))) },
  { name: 'with gzip as transfer coding below gzip', code: 'protocol',
    serve: says(packed('gzip\r\nTransfer-Encoding: gzip, chunked', zeroes(MIB, 2))) },
  { name: 'with deflate that is none', code: 'protocol',
    serve: says(packed('deflate', Buffer.from('garbage?'))) },
  { name: 'with gzip cut short', code: 'protocol',
    serve: says(packed('gzip', gzipSync('x'.repeat(1000)).subarray(0, 5))
    .subarray(0, -1)) },
  { name: 'with br, which nobody asked for', code: 'protocol',
    serve: says(packed('br', Buffer.from([0x0b, 0x02, 0x80, 0x61, 0x62, 0x63, 0x03]))) },
  { name: 'with zstd, which nobody asked for', code: 'protocol', serve: says(packed('zstd', ZSTD)) },
  { name: 'with a coding that is unknown', code: 'protocol',
    serve: says(packed('x-none-such', Buffer.from('x'))) },
];

const lengths = [
  { name: 'that declares 10 GB and closes', code: 'protocol',
    serve: says(`${OK}Content-Length: 10737418240\r\n\r\nx`) },
  { name: 'with a negative length', code: 'protocol', serve: says(`${OK}Content-Length: -1\r\n\r\nx`) },
  { name: 'with a length beyond 64 bits', code: 'protocol',
    serve: says(`${OK}Content-Length: 99999999999999999999\r\n\r\nx`) },
  { name: 'with two lengths', code: 'protocol',
    serve: says(`${OK}Content-Length: 1\r\nContent-Length: 5\r\n\r\nx`) },
  { name: 'with a giant chunk', code: 'protocol',
    serve: says(`${OK}Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nx`) },
  { name: 'with a chunk size beyond 64 bits', code: 'protocol',
    serve: says(`${OK}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nx`) },
  { name: 'with a negative chunk', code: 'protocol',
    serve: says(`${OK}Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n`) },
  { name: 'with a chunk size that is no number', code: 'protocol',
    serve: says(`${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n`) },
  { name: 'that closes inside a chunk', code: 'protocol',
    serve: says(`${OK}Transfer-Encoding: chunked\r\n\r\n10\r\nabc`) },
];

const resetting = [
  { name: 'that is not there', code: 'connect', closed: true, serve: () => {} },
  { name: 'that resets once it has accepted', code: 'protocol', or: 'connect',
    serve: (s) => s.resetAndDestroy() },
  { name: 'that closes once it has accepted', code: 'protocol', serve: (s) => s.destroy() },
  { name: 'that resets at the first byte', code: 'protocol',
    serve: (s) => s.once('data', () => s.resetAndDestroy()) },
  { name: 'that resets after its status line', code: 'protocol', serve: resets(OK) },
  { name: 'that resets in the middle of its headers', code: 'protocol', serve: resets(`${OK}X-A: 1\r\nX-`) },
  { name: 'that closes in the middle of its headers', code: 'protocol', serve: says(`${OK}X-A: 1\r\nX-`) },
  { name: 'that resets in the middle of its body', code: 'protocol',
    serve: resets(`${OK}Content-Length: 10\r\n\r\nabc`) },
  { name: 'that resets a body without length', code: 'protocol', serve: resets(`${OK}\r\nabc`) },
];

const grammar = [
  { name: 'that speaks HTTP/0.9', code: 'protocol', serve: says('<html>hello</html>') },
  { name: 'that speaks HTTP/9.9', code: 'protocol', serve: says('HTTP/9.9 200 OK\r\n\r\n') },
  { name: 'that speaks HTTP/2 unasked', code: 'protocol', serve: says('HTTP/2 200\r\n\r\n') },
  { name: 'that speaks HTTP/3 unasked', code: 'protocol', serve: says('HTTP/3 200\r\n\r\n') },
  { name: 'that speaks SSH', code: 'protocol', serve: says('SSH-2.0-OpenSSH_9.2p1\r\n') },
  { name: 'that speaks ICY', code: 'protocol', serve: says('ICY 200 OK\r\n\r\n') },
  { name: 'that speaks RTSP', code: 'protocol', serve: says('RTSP/1.0 200 OK\r\n\r\n') },
  { name: 'with the status -1', code: 'protocol', serve: says('HTTP/1.1 -1 OK\r\n\r\n') },
  { name: 'with the status 0', code: 'protocol', serve: says('HTTP/1.1 000 OK\r\n\r\n') },
  { name: 'with the status 99', code: 'protocol', serve: says('HTTP/1.1 99 OK\r\n\r\n') },
  { name: 'with the status 1000', code: 'protocol', serve: says('HTTP/1.1 1000 OK\r\n\r\n') },
  { name: 'with the status 2000', code: 'protocol', serve: says('HTTP/1.1 2000 OK\r\n\r\n') },
  { name: 'with no status', code: 'protocol', serve: says('HTTP/1.1\r\n\r\n') },
  { name: 'with the status 600', code: 'status', status: 600, serve: answers('600 What') },
  { name: 'with NUL in a header', code: 'protocol',
    serve: says(`${OK}X-A: a\0b\r\nContent-Length: 0\r\n\r\n`) },
  { name: 'with a header without colon', code: 'protocol',
    serve: says(`${OK}nonsense\r\nContent-Length: 0\r\n\r\n`) },
  { name: 'with bytes that are no text', code: 'protocol', serve: says(Buffer.from([0, 1, 2, 0xff, 0xfe])) },
  { name: 'with an empty line first', code: 'protocol', serve: says(`\r\n${EMPTY}`) },
];

const unasked = [
  { name: 'that switches protocols', code: 'protocol',
    serve: says('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n') },
  { name: 'that switches to h2c', code: 'protocol',
    serve: says('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n') },
  { name: 'that says Connection: upgrade',
    serve: answers('200 OK', 'Upgrade: h2c\r\nConnection: upgrade\r\n') },
  { name: 'that sends a body with 204',
    serve: says('HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc') },
  { name: 'that sends a body with 304', code: 'status', status: 304,
    serve: says('HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc') },
  { name: 'that answers twice', code: 'status', status: 500,
    serve: says(`HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n${EMPTY}`) },
  { name: 'that answers before it is asked', code: 'status', status: 500,
    serve: (s) => { s.resume(); s.write('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'); } },
  { name: 'with garbage behind its answer', serve: says(`${EMPTY}${'garbage'.repeat(1000)}`) },
  { name: 'with a cookie, HSTS and Alt-Svc', serve: answers('200 OK', 'Set-Cookie: a=b; Path=/\r\n' +
    'Strict-Transport-Security: max-age=31536000\r\nAlt-Svc: h3=":443", h2="127.0.0.1:DECOY"\r\n') },
  ...['NTLM', 'Negotiate', 'Basic realm="x"', 'Digest realm="x", nonce="y"', 'Bearer'].map((scheme) =>
    ({ name: `that asks for ${scheme.split(' ')[0]} authentication`, code: 'status', status: 401, alone: true,
       serve: holds(`HTTP/1.1 401 No\r\nWWW-Authenticate: ${scheme}\r\nContent-Length: 0\r\n\r\n`) })),
  { name: 'that asks for authentication at a proxy', code: 'status', status: 407,
    serve: holds('HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n') },
];

const LOCATIONS = ['http://127.0.0.1:DECOY/', 'http://[::1]:DECOY/', '//127.0.0.1:DECOY/', 'file:///etc/passwd',
  'gopher://127.0.0.1:DECOY/_x', `http://127.0.0.1:DECOY/${'a/'.repeat(8000)}`];
const redirects = [301, 302, 303, 307, 308].flatMap((status) =>
  (status === 307 ? LOCATIONS : LOCATIONS.slice(0, 1)).map((location) =>
    ({ name: `that redirects (${status}) to ${location.slice(0, 30)}`, code: 'status', status,
       serve: answers(`${status} Elsewhere`, `Location: ${location}\r\n`) })));

// Server-side TLS, broken at each stage.
const tls = [
  { name: 'that speaks plain HTTP where TLS is expected', code: 'tls', raw: true,
    serve: (s) => s.write(EMPTY) },
  { name: 'that answers the ClientHello with garbage', code: 'tls', raw: true,
    serve: (s) => s.once('data', () => s.write(Buffer.alloc(1000, 0x5a))) },
  { name: 'that resets before the ClientHello', code: 'tls', or: 'connect', raw: true,
    serve: (s) => s.resetAndDestroy() },
  { name: 'that resets at the ClientHello', code: 'tls', raw: true,
    serve: (s) => s.once('data', () => s.resetAndDestroy()) },
  { name: 'that closes at the ClientHello', code: 'tls', raw: true,
    serve: (s) => s.once('data', () => s.end()) },
  { name: 'that refuses the handshake by an alert', code: 'tls', raw: true,
    serve: (s) => s.once('data', () => s.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 40]))) },
  { name: 'that resets in the middle of its ServerHello', code: 'tls', raw: true,
    serve: (s) => s.once('data', () => {
      s.write(Buffer.from([0x16, 3, 3, 0, 0x7a, 2]));
      setTimeout(() => s.resetAndDestroy(), 50).unref();
    }) },
  { name: 'that stalls the handshake', code: 'timeout', raw: true, serve: (s) => s.resume() },
  { name: 'that drips its ServerHello', code: 'timeout', raw: true,
    serve: (s) => s.once('data', () => drip(s, '\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03')) },
  { name: 'with a certificate signed by itself', code: 'tls', tls: (c) => c.stranger, serve: says(EMPTY) },
  { name: 'with a certificate that has expired', code: 'tls', tls: (c) => c.expired, serve: says(EMPTY) },
  { name: 'with the certificate of another host', code: 'tls', tls: (c) => c.other, serve: says(EMPTY) },
  { name: 'that knows TLS 1.0 and no later', code: 'tls',
    tls: (c) => ({ ...c.good, minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' }),
    serve: says(EMPTY) },
  { name: 'that knows TLS 1.1 and no later', code: 'tls',
    tls: (c) => ({ ...c.good, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }),
    serve: says(EMPTY) },
  { name: 'with a chain of 100 certificates', tls: (c) => ({ ...c.good, cert: c.good.cert + c.ca.repeat(99) }),
    serve: says(EMPTY) },
  { name: 'with a chain of 1000 certificates', code: 'tls',
    tls: (c) => ({ ...c.good, cert: c.good.cert + c.ca.repeat(999) }), serve: says(EMPTY) },
  { name: 'that asks for a certificate of the client', code: 'protocol',
    tls: (c) => ({ ...c.good, requestCert: true, rejectUnauthorized: true }), serve: says(EMPTY) },
  { name: 'that closes once the handshake is done', code: 'protocol', tls: (c) => c.good,
    serve: (s) => s.destroy() },
  { name: 'that resets once the handshake is done', code: 'protocol', tls: (c) => c.good,
    serve: (s) => s.reset() },
  { name: 'that is silent once the handshake is done', code: 'timeout', tls: (c) => c.good,
    serve: (s) => s.resume() },
  { name: 'that cuts a body without length inside TLS', code: 'protocol', tls: (c) => c.good,
    serve: (s) => onRequest(s, () => { s.write(`${OK}\r\nabc`, () => s.reset()); }) },
  { name: 'with a body without end inside TLS', truncated: true, tls: (c) => c.good,
    serve: floods(`${OK}\r\n`, Buffer.alloc(64 * 1024, 120)) },
  { name: 'that speaks TLS where plain HTTP is expected', code: 'protocol', scheme: 'http',
    serve: (s) => s.once('data', () => s.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 22]))) },
];

export const rows = [...silent, ...large, ...codings, ...lengths, ...resetting, ...grammar, ...unasked,
  ...redirects, ...tls];

// Those that hold a connection open and have the engine keep as much for it as they can; for
// measuring memory. Each is given up at its timeout.
const FULL = 15 * 1024;                     // little less than what is kept of an answer
const packedFull = gzipSync(Buffer.alloc(FULL, 'some text that packs well '));
const holdsFull = [
  ['in many headers', `${OK}${`X-A: ${'some value '.repeat(10)}\r\n`.repeat(120)}`],
  ['in a large header', `${OK}X-A: ${'x'.repeat(FULL)}\r\n`],
  ['in many Early Hints', 'HTTP/1.1 103 Early Hints\r\nLink: </some/quite/long/path/of.css>\r\n\r\n'.repeat(40)],
  ['in a large body', `${OK}\r\n${'x'.repeat(FULL)}`],
  ['in many chunks', `${OK}Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(FULL)}`],
  ['in a body of gzip',
    Buffer.concat([Buffer.from(`${OK}Content-Encoding: gzip\r\n\r\n`), packedFull.subarray(0, -1)])],
];
export const holding = [
  silent[0], silent[1], silent[4],
  { name: 'that stalls the handshake', raw: true, serve: (s) => s.resume() },
  ...holdsFull.map(([name, text]) => ({ name: `that stops ${name}`, serve: holds(text) })),
  ...holdsFull.map(([name, text]) =>
    ({ name: `that stops ${name} inside TLS`, tls: (c) => c.good, serve: holds(text) })),
];

// ---- Running one -------------------------------------------------------------------------

function open(row, certificates, serve) {
  if (!row.tls) return createServer({ pauseOnConnect: false }, serve);
  const raws = new Map();                   // beneath the TLS, by the port at the other end
  const server = createTlsServer(typeof row.tls === 'function' ? row.tls(certificates) : row.tls, (socket) => {
    socket.reset = () => raws.get(socket.remotePort)?.resetAndDestroy();
    serve(socket);
  });
  server.on('connection', (raw) => {
    raws.set(raw.remotePort, raw);
    raw.on('error', () => {}).unref();
  });
  return server.on('tlsClientError', () => {});
}

// Serves a row on loopback: { row, url, connections, stop() }. Keeps no process alive.
export async function serveRow(row, certificates, decoyPort = 1) {
  const sockets = new Set();
  const running = { row, connections: 0 };
  const server = open(row, certificates, (socket) => {
    running.connections++;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket)).unref();
    const write = socket.write;             // a text names the decoy's port
    socket.write = (bytes, ...rest) => write.call(socket,
      typeof bytes === 'string' ? bytes.replaceAll('DECOY', decoyPort) : bytes, ...rest);
    row.serve(socket);
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  running.url = `${row.scheme ?? (row.raw || row.tls ? 'https' : 'http')}://127.0.0.1:${server.address().port}/`;
  running.stop = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  if (row.closed) running.stop();
  return running;
}

// A port that listens and never accepts, its backlog full.
export async function neverAccepts() {
  const { createConnection } = await import('node:net');
  const worker = new Worker(`
    const { parentPort } = require('node:worker_threads');
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`, { eval: true });
  worker.unref();
  const [port] = await once(worker, 'message');
  const filling = Array.from({ length: 4 }, () => createConnection(port, '127.0.0.1').on('error', () => {}));
  for (const socket of filling) socket.unref();
  return { row: { name: 'that never accepts', code: 'timeout' }, connections: 0, url: `http://127.0.0.1:${port}/`,
           stop: () => { for (const socket of filling) socket.destroy(); worker.terminate(); } };
}
