// engine.mjs - a moonhook engine on a random port, with a data folder of its own.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { calls } from './redis.mjs';
import { cpu, start, stop, tempDir, until } from './proc.mjs';

const PLUGINS = fileURLToPath(new URL('../plugins', import.meta.url));
const PROGRAM = process.env.MOONHOOK
  ?? fileURLToPath(new URL('../../build/moonhook', import.meta.url));

/** A side as the benchmarks measure it, with `plugins` from `folder` installed. */
export async function startEngine({ fsync, plugins = [], folder = PLUGINS, flags = [],
                                    data = tempDir() }) {
  if (!existsSync(PROGRAM)) throw new Error('build/moonhook is not built');
  const began = performance.now();
  const child = start([PROGRAM, 'serve', '--listen', '127.0.0.1:0', '--data', data, '--plugins',
    folder, '--redis-fsync', fsync, '--allow-private', '127.0.0.0/8', '--log-level', 'warn',
    ...flags],
  { log: join(data, 'engine.log'), stdout: 'pipe' });
  let said = '', ready_ms;
  child.stdout.on('data', (text) => { said += text; ready_ms ??= performance.now() - began; });
  const [, base] = await until(() => /^ready (http:\S+)$/m.exec(said), 'moonhook serve', { child });
  const key = readFileSync(join(data, 'admin.token'), 'utf8').trim();
  const engine = new Engine(child, base, key, join(data, 'redis/redis.sock'));
  Object.assign(engine, { data, ready_ms });
  for (const source of plugins)
    await engine.target('/api/plugins/install', { source, config: {} });
  return engine;
}

class Engine {
  constructor(child, base, key, socket) {
    Object.assign(this, { child, base, key, socket });
    this.targets = 0;
    this.url = `${base}/api/events`;
    this.status = 202;
    this.waitUrl = `${base}/api/events?wait=2000`;
    this.waitStatus = 200;
  }

  async api(method, path, body) {
    const answer = await fetch(this.base + path, { method, signal: AbortSignal.timeout(30000),
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 200)}`);
    return JSON.parse(text);
  }

  /** Adds a plugin or a webhook: every event is then one more delivery. */
  async target(path, body) {
    await this.api('POST', path, body);
    this.targets++;
  }

  /** The sum of a metric's samples, those whose labels contain `labels`. */
  async metric(name, labels = '') {
    const page = await (await fetch(`${this.base}/metrics`,
      { headers: { authorization: `Bearer ${this.key}` } })).text();
    const samples = page.split('\n').filter((line) => /^\w+/.exec(line)?.[0] === name);
    if (!page.includes(`TYPE ${name} `)) throw new Error(`/metrics has no ${name}`);
    return samples.filter((line) => line.includes(labels))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  cpu() { return cpu([this.child.pid]); }
  calls() { return calls(this.socket); }
  accepted() { return this.metric('moonhook_events_accepted_total'); }
  delivered() { return this.metric('moonhook_deliveries_total', 'status="delivered"'); }
  /** Waits until every accepted event was delivered to every target. */
  settled() {
    const all = async () => await this.delivered() === await this.accepted() * this.targets
      && await this.metric('moonhook_deliveries_pending') === 0;
    return until(all, 'every event delivered', { child: this.child, seconds: 60, every_ms: 50 });
  }
  stop() { return stop(this.child); }
}
