// curl.mjs - the peer that only posts: libcurl's multi interface in a few lines of C.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ALERT } from '../lib/load.mjs';
import { tempDir } from '../lib/proc.mjs';

const SOURCE = fileURLToPath(new URL('curl_multi.c', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../build/peers/curl_multi', import.meta.url));

const BODY = JSON.stringify({ id: 'evt_01kxabcdefghijklmnopqrstuv', event: 'alert',
  timestamp: '2026-01-22T10:00:00.000Z', org_id: 'default', data: ALERT });
const HEADERS = { 'Content-Type': 'application/json', 'User-Agent': 'moonhook/0.1.0',
  'X-Mission-Control-Event': 'alert', 'X-Mission-Control-Signature': 'a'.repeat(64),
  'webhook-id': 'evt_01kxabcdefghijklmnopqrstuv', 'webhook-timestamp': '1795000000',
  'webhook-signature': `v1,${'A'.repeat(43)}=` };

/** A side as deliver.mjs measures it: `atOnce` requests under way, no Redis. */
export async function startCurl(url, atOnce) {
  mkdirSync(join(PROGRAM, '..'), { recursive: true });
  execFileSync('cc', ['-O2', '-o', PROGRAM, SOURCE, '-lcurl'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const body = join(tempDir(), 'body.json');
  writeFileSync(body, BODY);
  const lines = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}`);
  let spent_us = 0;
  return {
    enqueue: async (n) => {
      const { stdout } = await promisify(execFile)(PROGRAM, [url, n, atOnce, body, ...lines].map(String));
      const { good, cpu_us } = JSON.parse(stdout);
      if (good !== n) throw new Error(`${good} of ${n} were answered with 200`);
      spent_us += cpu_us;
    },
    settled: async () => {},
    cpu: () => ({ curl_multi: spent_us }),
    calls: () => ({}),
    stop: async () => {},
  };
}
