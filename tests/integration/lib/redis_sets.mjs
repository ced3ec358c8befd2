// redis_sets.mjs - several real redis-servers on loopback: a master with replicas that
// sentinels watch, and a cluster. All end with the test's process at the latest.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { folder } from './engine.mjs';
import { freePort } from './port.mjs';
import { portOf, Redis, spawnRedis } from './redis.mjs';
import { eventually, within } from './wait.mjs';

const run = promisify(execFile);
const PASSWORD = new Redis().password;
const REPLICA = ['--masterauth', PASSWORD, '--repl-diskless-sync-delay', '0',
                 '--repl-diskless-load', 'on-empty-db'];
const CLUSTER_MAKING_MS = 40_000;

class Sentinel {
  #child;
  #tls;

  constructor(tls) { this.#tls = tls; }

  async start(master, quorum) {
    const file = join(folder('mh-sentinel-'), 'sentinel.conf');
    this.port = await freePort();
    const flags = [...portOf(this.port, this.#tls), ...this.#tls?.server ?? []].join(' ');
    writeFileSync(file, [...flags.split(/ ?--/).filter(Boolean), 'bind 127.0.0.1',
      `sentinel monitor mymaster 127.0.0.1 ${master.port} ${quorum}`,
      `sentinel auth-pass mymaster ${master.password}`,
      'sentinel down-after-milliseconds mymaster 1000',
      'sentinel failover-timeout mymaster 4000', ''].join('\n'));
    this.#child = spawnRedis([file, '--sentinel']);
    await eventually(() => this.cli('ping').then((r) => r === 'PONG', () => false), 'a sentinel');
    return this;
  }

  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await within(gone, 'the end of a sentinel');
  }

  async cli(...args) {
    return (await run('redis-cli', ['-p', this.port, ...this.#tls?.cli ?? [], ...args],
                       { timeout: 5000 })).stdout.trim();
  }
}

// A master, two replicas, three sentinels. `tls`: redis.mjs's tlsOf().
export class Watched {
  constructor(tls = undefined) { this.tls = tls; }

  async start() {
    this.master = await new Redis(REPLICA, {}, this.tls).start();
    const flags = [...REPLICA, '--replicaof', '127.0.0.1', String(this.master.port)];
    this.replicas = await Promise.all([0, 1].map(() => new Redis(flags, {}, this.tls).start()));
    await eventually(async () => (await this.master.cli('info', 'replication'))
      .match(/state=online/g)?.length === 2, 'two replicas that are in step');
    this.sentinels = await Promise.all([0, 1, 2].map(() => new Sentinel(this.tls).start(this.master, 2)));
    await eventually(async () => (await Promise.all(this.sentinels.map((s) =>
      s.cli('sentinel', 'ckquorum', 'mymaster').catch(() => '')))).every((t) => t.startsWith('OK 3')),
    'three sentinels that know each other');
    await eventually(async () => (await Promise.all(this.sentinels.map((s) =>
      s.cli('sentinel', 'replicas', 'mymaster')))).every((t) => t.match(/^name$/gm)?.length === 2),
    'sentinels that know the replicas');
    return this;
  }

  get url() {
    const hosts = this.sentinels.map((s) => `127.0.0.1:${s.port}`).join(',');
    return `${this.tls ? 'rediss' : 'redis'}+sentinel://:${PASSWORD}@${hosts}/mymaster`;
  }

  // What a sentinel that lives says, once it is another server than `not`.
  async promoted(not) {
    const name = await eventually(async () => {
      for (const s of this.sentinels) {
        const got = await s.cli('sentinel', 'get-master-addr-by-name', 'mymaster').catch(() => '');
        if (got && !got.endsWith(`\n${not.port}`)) return got.split('\n')[1];
      }
      return undefined;
    }, 'a new master');
    return [this.master, ...this.replicas].find((r) => String(r.port) === name);
  }

  stop() {
    return Promise.all([this.master, ...this.replicas, ...this.sentinels].map((s) => s.kill()));
  }
}

// Three masters with a replica each. One that is lost does not stop the others.
export class Cluster {
  constructor(tls = undefined) { this.tls = tls; }

  async start() {
    this.nodes = [];
    for (let i = 0; i < 6; i++)
      this.nodes.push(await new Redis([...REPLICA, '--cluster-enabled', 'yes', '--cluster-port',
        String(await freePort()), '--cluster-node-timeout', '1500', '--cluster-require-full-coverage', 'no'],
        {}, this.tls).start());
    await this.manage('create', ...this.nodes.map((n) => n.name), '--cluster-replicas', '1', '--cluster-yes');
    await eventually(async () => (await Promise.all(this.nodes.map((n) => n.cli('cluster', 'info'))))
      .every((t) => t.includes('cluster_state:ok')), 'a cluster that is whole');
    await eventually(async () => (await Promise.all(this.nodes.map((n) => n.cli('info', 'replication'))))
      .filter((t) => /slave0:.*state=online/.test(t)).length === 3, 'replicas that are in step');
    return this;
  }

  // redis-cli --cluster ...
  async manage(...args) {
    return (await run('redis-cli', [...this.tls?.cli ?? [], '-a', PASSWORD, '--no-auth-warning', '--cluster', ...args],
      { timeout: CLUSTER_MAKING_MS })).stdout;
  }

  get url() {
    return `${this.tls ? 'rediss' : 'redis'}+cluster://:${PASSWORD}@${this.nodes.map((n) => n.name).join(',')}`;
  }

  // The node that has the slot of `key` now, as the nodes that run see it.
  async masterOf(key) {
    const node = this.nodes.find((n) => n.running);
    const slot = Number(await node.cli('cluster', 'keyslot', key));
    const ranges = JSON.parse(await node.cli('--json', 'cluster', 'slots'));
    const range = ranges.find(([first, last]) => first <= slot && slot <= last);
    return this.nodes.find((n) => n.port === range?.[2][1]);
  }

  // A replica that is in step with this master.
  async replicaOf(master) {
    const port = await eventually(async () =>
      (await master.cli('info', 'replication')).match(/slave0:ip=[^,]*,port=(\d+),state=online/)?.[1], 'a replica');
    return this.nodes.find((n) => String(n.port) === port);
  }

  async idOf(node) { return node.cli('cluster', 'myid'); }

  stop() { return Promise.all(this.nodes.map((n) => n.kill())); }
}
