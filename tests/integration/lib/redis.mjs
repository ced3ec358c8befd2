// redis.mjs - a redis-server of the test's own: on loopback, with a password, keeping
// its data on the disk so that it can be killed and come back. Several of them make what
// redis_sets.mjs has.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { folder } from './engine.mjs';
import { freePort } from './port.mjs';
import { eventually, within } from './wait.mjs';

const run = promisify(execFile);
const children = new Set();
process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')));

// A redis-server that ends with the test's process at the latest.
export function spawnRedis(args, env = {}) {
  const child = spawn('redis-server', args, { stdio: 'ignore', env: { ...process.env, ...env } });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

// Certificates (made by lib/certificates.mjs in `dir`) as redis-server and redis-cli take them.
export const tlsOf = (dir) => ({
  server: ['--tls-cert-file', `${dir}/good.pem`, '--tls-key-file', `${dir}/good.key`,
           '--tls-ca-cert-file', `${dir}/ca.pem`, '--tls-auth-clients', 'no',
           '--tls-replication', 'yes', '--tls-cluster', 'yes'],
  cli: ['--tls', '--cacert', `${dir}/ca.pem`],
});

export const portOf = (port, tls) => tls ? ['--port', '0', '--tls-port', port] : ['--port', port];

export class Redis {
  password = 'open-sesame-42';
  dir = folder('mh-redis-');
  #child = null;
  #flags;
  #env;

  #tls;

  // `tls`: see tlsOf(); without it, plain.
  constructor(flags = [], env = {}, tls = undefined) {
    this.#flags = flags;
    this.#env = env;
    this.#tls = tls;
  }

  get name() { return `127.0.0.1:${this.port}`; }

  async reserve() {
    this.port ??= await freePort();
    this.url = `${this.#tls ? 'rediss' : 'redis'}://:${this.password}@127.0.0.1:${this.port}`;
    return this;
  }

  // Runs from now on, and perhaps answers not yet. `flags`: for this time only.
  async launch(flags = []) {
    await this.reserve();
    this.#child = spawnRedis([...portOf(this.port, this.#tls), '--bind', '127.0.0.1', '--dir', this.dir,
      '--requirepass', this.password, '--appendonly', 'yes', '--appendfsync', 'always', '--save', '',
      ...this.#flags, ...flags, ...this.#tls?.server ?? []], this.#env);
  }

  async start() {
    await this.launch();
    await eventually(() => this.cli('ping').then((r) => r === 'PONG', () => false), 'a Redis that answers');
    return this;
  }

  get running() { return this.#child !== null; }

  async kill() {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await within(gone, 'the end of Redis');
  }

  freeze() { this.#child.kill('SIGSTOP'); }
  thaw() { this.#child.kill('SIGCONT'); }

  async cli(...args) {
    const { stdout } = await run('redis-cli', ['-p', this.port, ...this.#tls?.cli ?? [], '-a', this.password, '--no-auth-warning', ...args],
                                 { timeout: 5000 });
    return stdout.trim();
  }
}
