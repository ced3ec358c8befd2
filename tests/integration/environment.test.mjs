// environment.test.mjs - what libcurl, OpenSSL and the resolver would take from the
// environment of the engine, and must not: where a delivery goes, what is trusted, what is
// written down is told by flags alone.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeCertificates } from './lib/certificates.mjs';
import { Engine, folder } from './lib/engine.mjs';
import { Receiver } from './lib/receiver.mjs';
import { eventually } from './lib/wait.mjs';

const dir = folder(), certificates = makeCertificates(dir);
const plain = new Receiver();
const secret = createServer(certificates.good, (req, res) => res.end('ok')).unref();

// Counts who comes; what a proxy of the environment would be.
let visits = 0;
const proxy = createTcpServer((socket) => {
  visits++;
  socket.on('error', () => {}).end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
}).unref();

before(async () => {
  for (const server of [secret, proxy]) await once(server.listen(0, '127.0.0.1'), 'listening');
  secret.on('connection', (socket) => socket.unref());
  await plain.start();
});
after(async () => {
  secret.close();
  proxy.close();
  await plain.stop();
});

const proxyUrl = () => `http://127.0.0.1:${proxy.address().port}`;
const secretUrl = () => `https://127.0.0.1:${secret.address().port}/`;

async function attempt(engine, url) {
  const { id } = await engine.webhook(url);
  const event = await engine.event('alert');
  const delivery = await eventually(async () => {
    const { deliveries: [d] } = await engine.ok(200, engine.get(`/api/events/${event.id}`));
    return ['delivered', 'dead'].includes(d.status) && d;
  }, 'the end of a delivery');
  await engine.ok(200, engine.delete(`/api/webhooks/${id}`));
  return delivery.attempts.at(-1);
}

// A home folder whose files would change what curl does.
function fillHome() {
  writeFileSync(join(dir, '.netrc'), 'default login user password secret\n', { mode: 0o600 });
  writeFileSync(join(dir, '.curlrc'), `proxy = ${proxyUrl()}\nuser = a:b\n`);
}

describe('a variable of the environment', () => {
  async function withEngine(env, flags, act) {
    const engine = await new Engine({ env, flags: ['--retry-schedule', '0s', ...flags] }).start();
    try {
      await act(engine);
    } finally {
      await engine.stop();
    }
  }

  for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'])
    test(`${name} does not lead through a proxy`, () =>
      withEngine({ [name]: proxyUrl(), NO_PROXY: 'none.example' }, ['--ca-file', certificates.caFile],
        async (engine) => {
          assert.equal((await attempt(engine, plain.url)).status, 'delivered');
          assert.equal((await attempt(engine, secretUrl())).status, 'delivered');
          assert.equal(visits, 0);
        }));

  for (const name of ['HOME', 'CURL_HOME', 'XDG_CONFIG_HOME', 'NETRC'])
    test(`${name} adds neither a proxy nor a password`, async () => {
      fillHome();
      const value = name === 'NETRC' ? join(dir, '.netrc') : dir;
      await withEngine({ [name]: value }, [], async (engine) => {
        plain.reset();
        assert.equal((await attempt(engine, plain.url)).status, 'delivered');
        assert.equal(plain.requests[0].headers.authorization, undefined);
        assert.equal(visits, 0);
      });
    });

  for (const [name, value] of [['SSL_CERT_FILE', () => certificates.caFile],
    ['CURL_CA_BUNDLE', () => certificates.caFile],
    ['SSL_CERT_DIR', () => { execFileSync('openssl', ['rehash', dir], { stdio: 'ignore' }); return dir; }]])
    test(`${name} makes no certificate trusted`, () => withEngine({ [name]: value() }, [], async (engine) => {
      assert.equal((await attempt(engine, secretUrl())).error?.code, 'tls');
    }));

  test('SSLKEYLOGFILE has no keys of TLS written', async () => {
    const file = join(dir, 'keys.log');
    await withEngine({ SSLKEYLOGFILE: file }, ['--ca-file', certificates.caFile], async (engine) => {
      assert.equal((await attempt(engine, secretUrl())).status, 'delivered');
    });
    assert.equal(existsSync(file) && readFileSync(file, 'utf8'), false);
  });

  test('OPENSSL_CONF takes nothing away from TLS', async () => {
    const file = join(dir, 'other.cnf');
    writeFileSync(file, 'openssl_conf = all\n[all]\nproviders = some\n[some]\nnull = on\n[on]\nactivate = 1\n');
    await withEngine({ OPENSSL_CONF: file }, ['--ca-file', certificates.caFile], async (engine) => {
      assert.equal((await attempt(engine, secretUrl())).status, 'delivered');
    });
  });
});
