// certificates.mjs - an authority and what it signs, made by openssl for one test file.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

// Makes in `dir`: `ca` (its file is `caFile`), and a { cert, key } for each kind of server.
export function makeCertificates(dir) {
  const at = (name) => join(dir, name);
  const read = (name) => readFileSync(at(name), 'utf8');
  const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
  const selfSigned = (name) => openssl('req', '-x509', ...EC, '-keyout', `${name}.key`, '-out', `${name}.pem`,
    '-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1');

  function signed(name, names, days) {
    writeFileSync(at(`${name}.ext`), `subjectAltName=${names}\n`);
    openssl('req', ...EC, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial',
      '-out', `${name}.pem`, '-days', String(days), '-extfile', `${name}.ext`);
  }

  const pair = (name) => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) });
  selfSigned('ca');
  selfSigned('stranger');
  signed('good', 'DNS:localhost,IP:127.0.0.1', 2);
  signed('expired', 'DNS:localhost,IP:127.0.0.1', -1);
  signed('other', 'DNS:other.example', 2);
  return { caFile: at('ca.pem'), ca: read('ca.pem'), good: pair('good'), expired: pair('expired'),
           other: pair('other'), stranger: pair('stranger') };
}
