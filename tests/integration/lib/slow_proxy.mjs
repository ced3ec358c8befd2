// slow_proxy.mjs - a TCP proxy on loopback that hands on what the server answers later.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export class SlowProxy {
  delayMs = 0;                              // of what the server sends from now on
  #server = createServer((client) => this.#join(client).catch(() => client.destroy()));
  #clients = new Set();
  #target;

  async start(targetPort) {
    this.#target = targetPort;
    this.#server.listen(0, '127.0.0.1').unref();
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
    return this;
  }

  // Every connection is lost; new ones are taken.
  cut() { for (const client of this.#clients) client.destroy(); }

  stop() {
    this.#server.close();
    this.cut();
  }

  async #join(client) {
    const server = connect(this.#target, '127.0.0.1').unref();
    this.#clients.add(client.unref());
    server.on('error', () => {});           // what was read before is handed on all the same
    client.on('error', () => {}).on('data', (bytes) => server.write(bytes)).on('close', () => {
      this.#clients.delete(client);
      server.destroy();
    });
    let handedOn = Promise.resolve();       // in order, each at its time
    server.on('data', (bytes) => {
      const due = performance.now() + this.delayMs;
      handedOn = handedOn.then(() => due > performance.now() && sleep(due - performance.now()))
                         .then(() => client.destroyed || client.write(bytes));
    });
    await new Promise((resolve) => { server.on('close', resolve); });
    await handedOn;
    client.destroySoon();
  }
}
