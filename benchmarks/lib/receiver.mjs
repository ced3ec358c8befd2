// receiver.mjs - where both sides deliver: nginx answering 200 and counting, or, where
// there is no nginx, a few lines of Node. Its CPU time counts for nobody.
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startNginx } from '../peers/nginx.mjs';
import { freePort, start, stop, tempDir, untilServes } from './proc.mjs';

const SELF = fileURLToPath(import.meta.url);

async function startNode() {
  const port = await freePort(), url = `http://127.0.0.1:${port}`;
  const child = start([process.execPath, SELF, String(port)],
    { log: join(tempDir(), 'receiver.log') });
  await untilServes(url, 'receiver', child);
  return { child, url };
}

/** With `log`, each request is a line "SECONDS WEBHOOK-ID" in the file of that name; the rest of
 *  what it gives is the same. */
export async function startReceiver({ log = false } = {}) {
  const { child, url, dir } = await startNginx(
    fileURLToPath(new URL('receiver.conf', import.meta.url)),
    { ACCESS: log ? 'arrivals.log arrival' : 'off' })
    .catch((error) => {
      if (log) throw error;
      process.stderr.write(`the receiver is Node, not nginx: ${error.message}\n`);
      return startNode();
    });
  let asked = 0;                                // the questions are counted as well
  const requests = async () => {
    const text = await (await fetch(`${url}/count`)).text();
    return Number(/^ \d+ \d+ (\d+)/m.exec(text)[1]) - ++asked;
  };
  return { url: `${url}/hook`, requests, log: dir && join(dir, 'arrivals.log'), stop: () => stop(child) };
}

function serve(port) {                          // counts as nginx's stub_status does
  let n = 0;
  createServer((request, response) => {
    n++;
    request.resume();
    response.end(request.url === '/count' ? ` 0 0 ${n} \n` : '');
  }).listen(port, '127.0.0.1');
}

if (process.argv[1] === SELF) serve(Number(process.argv[2]));
