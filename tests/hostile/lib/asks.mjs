// asks.mjs - the thread of neighbour.mjs: asks the plugin again and again, and posts how
// long each answer took in milliseconds, or what was wrong with it.
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const PAUSE_MS = 4;                     // between two questions, so that cores have rest
const { url, key } = workerData;
let asking = true;
parentPort.once('message', () => { asking = false; });

async function ask(n) {
  const res = await fetch(`${url}/api/events?wait=15000`, {
    method: 'POST', body: JSON.stringify({ event: 'ask', data: { n } }),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } });
  const text = await res.text();
  const row = JSON.parse(text).results?.find(({ plugin }) => plugin === 'neighbour');
  if (row?.result?.heard !== n || row.result.type !== 'string1') throw new Error(`it answered ${text}`);
}

for (let n = 0; asking; n++) {
  const began = performance.now();
  await ask(n);
  parentPort.postMessage(performance.now() - began);
  await sleep(PAUSE_MS);
}
parentPort.close();
