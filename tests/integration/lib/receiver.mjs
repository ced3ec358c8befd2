// receiver.mjs - a plain HTTP server on loopback that records what it gets and answers
// as it is told; what webhooks and plugins talk to in the tests.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Arrivals } from './wait.mjs';

async function bodyOf(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

export class Receiver {
  // request, its index -> { status, reason, headers, body } or { hang: true }; may be async.
  answer = () => ({});
  keep = true;                              // false: requests are answered and not recorded
  connections = 0;                          // made so far; a request has the number of its own
  #arrivals = new Arrivals();
  #server = createServer((req, res) => this.#take(req, res).catch(() => res.destroy()))
    .on('connection', (socket) => {
      socket.unref();
      socket.number = ++this.connections;
    });

  // `host`: an address of loopback.
  async start(host = '127.0.0.1') {
    this.#server.listen(0, host);
    await once(this.#server, 'listening');
    this.#server.unref();                   // keeps no test file alive, nor do its connections
    this.port = this.#server.address().port;
    this.url = `http://${host}:${this.port}`;
    return this;
  }

  async stop() {
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  // { method, url, headers, body, json, connection }, in the order in which they arrived; `aborted`
  // resolves when the connection that one came on has ended.
  get requests() { return this.#arrivals.items; }

  // Forgets what came and answers 200 again.
  reset() {
    this.#arrivals.items = [];
    this.answer = () => ({});
  }

  // The first `count` requests for which `which` holds, when they have arrived.
  got(count, which = () => true) {
    return this.#arrivals.until((all) => {
      const fitting = all.filter(which);
      return fitting.length >= count && fitting.slice(0, count);
    }, `${count} requests at the receiver`);
  }

  until(find, what, ms) { return this.#arrivals.until(find, what, ms); }

  async #take(req, res) {
    const body = await bodyOf(req);
    const request = { method: req.method, url: req.url, headers: req.headers, body,
                      json: parsed(body), connection: req.socket.number,
                      get aborted() { return once(req.socket, 'close'); } };
    const answer = this.answer(request, this.requests.length);
    if (this.keep) this.#arrivals.add(request);     // who waits for it sees what the answer did
    const { status = 200, reason, headers = {}, body: reply = 'ok', hang } = await answer;
    if (!hang) res.writeHead(status, reason, headers).end(reply);
  }
}
