// redis_proxy.mjs - stands between an engine and its Redis, and lets a test act at the moment at which
// the engine calls one of its scripts: before Redis has seen the call.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

const scripts = new URL('../../../engine/core/redis/', import.meta.url);

export class RedisProxy {
  #server = createServer((client) => this.#serve(client));
  #sockets = new Set();
  #awaited = null;

  // `redis`: a Redis of lib/redis.mjs.
  async start(redis) {
    this.redis = redis;
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#server.unref();
    this.url = `redis://:${redis.password}@127.0.0.1:${this.#server.address().port}`;
    return this;
  }

  stop() {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  // Resolves when the script is called next, after `act`; the call goes nowhere, and no
  // connection outlives it.
  beforeNext(script, act) { return this.#await(script, act, false); }

  // The same, but Redis gets the call, and its answer goes nowhere.
  answerLost(script, act = () => {}) { return this.#await(script, act, true); }

  #await(script, act, passOn) {
    const sha = createHash('sha1').update(readFileSync(new URL(script, scripts))).digest('hex');
    return new Promise((resolve, reject) => {
      this.#awaited = { sha, passOn, act: () => Promise.resolve(act()).then(resolve, reject) };
    });
  }

  // The call for a connection of its own.
  #again(bytes) {
    const word = `*2\r\n$4\r\nAUTH\r\n$${this.redis.password.length}\r\n${this.redis.password}\r\n`;
    return Buffer.concat([Buffer.from(word), bytes]);
  }

  #serve(client) {
    const server = connect(this.redis.port, '127.0.0.1');
    const pair = [client, server];
    for (const socket of pair) {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => {
        this.#sockets.delete(socket);
        for (const each of pair) each.destroy();
      });
    }
    server.on('data', (bytes) => client.write(bytes));
    client.on('data', (bytes) => {
      if (!this.#awaited || !bytes.includes(this.#awaited.sha)) {
        server.write(bytes);
        return;
      }
      const { act, passOn } = this.#awaited;
      this.#awaited = null;
      if (passOn) connect(this.redis.port, '127.0.0.1').end(this.#again(bytes)).on('error', () => {}).resume();
      for (const socket of this.#sockets) socket.destroy();
      act();
    });
  }
}
