// bullmq-process.mjs producer|worker SOCKET URL ENDPOINTS - the two processes that a user would write.
//
// To the producer a message is how many jobs to add, or the ids of their events; to the worker, how many in all are to
// be done. Each answers when that is so. The payload, its headers and signatures are those
// that moonhook sends.
import { createHmac, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { Queue, Worker } from 'bullmq';
import { ALERT } from '../lib/load.mjs';

const CONCURRENCY = Number(process.env.BULLMQ_CONCURRENCY ?? 64);
const BULK = 1000;
const JOB = { attempts: 10, backoff: { type: 'exponential', delay: 5000 }, removeOnComplete: true };

const [role, path, url, endpoints] = process.argv.slice(2);
const connection = { path, maxRetriesPerRequest: null };

async function produce() {
  const queue = new Queue('webhooks', { connection });
  await queue.waitUntilReady();
  const newId = () => `evt_${randomBytes(12).toString('hex')}`;
  const event = (id = newId()) => ({ id, event: 'alert', timestamp: new Date().toISOString(),
    org_id: 'default', data: ALERT });
  let made = 0;                                 // a job for each endpoint of an event
  const job = (id) => ({ name: `/${made++ % Number(endpoints)}`, opts: JOB, data: event(id) });
  process.on('message', async (wanted) => {
    if (Array.isArray(wanted)) await queue.addBulk(wanted.map(job));
    for (let left = wanted; left > 0; left -= BULK)
      await queue.addBulk(Array.from({ length: Math.min(left, BULK) }, () => job()));
    process.send('added');
  });
}

const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const KEY = Buffer.from(SECRET.slice(6), 'base64');
const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });

function headers(event, body) {
  const sent = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', KEY).update(`${event.id}.${sent}.${body}`)
    .digest('base64');
  return {
    'content-type': 'application/json', 'content-length': Buffer.byteLength(body),
    'x-mission-control-event': event.event,
    'x-mission-control-signature': createHmac('sha256', SECRET).update(body).digest('hex'),
    'webhook-id': event.id, 'webhook-timestamp': sent, 'webhook-signature': `v1,${signature}`,
  };
}

function deliver({ name, data: event }) {
  const body = JSON.stringify(event);
  return new Promise((resolve, reject) => {
    const sending = request(url + name, { method: 'POST', agent, timeout: 15000,
      headers: headers(event, body) }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode < 300) resolve(); else reject(new Error(`${response.statusCode}`));
      });
    });
    sending.on('error', reject);
    sending.end(body);
  });
}

async function work() {
  let done = 0, wanted = Infinity;
  const check = () => {
    if (done < wanted) return;
    wanted = Infinity;
    process.send('done');
  };
  const worker = new Worker('webhooks', deliver, { connection, concurrency: CONCURRENCY });
  worker.on('completed', () => { done++; check(); });
  await worker.waitUntilReady();
  process.on('message', (count) => { wanted = count; check(); });
}

await { producer: produce, worker: work }[role]();
process.send('ready');
