// conceal.mjs - taking the secrets out of an answer of 2 MiB: CPU time beside the former way, which
// tried every spelling at every place, and the longest part of it, which is what the loop waits for.
// conceal.c measures; it is built when this runs.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const BUILD = fileURLToPath(new URL('../build', import.meta.url));
const run = promisify(execFile);

export async function conceal({ rounds }) {
  let figures;
  try {
    await run('ninja', ['-C', BUILD, 'bench-conceal']);
    figures = JSON.parse((await run(`${BUILD}/bench-conceal`, [String(2 * rounds + 1)])).stdout);
  } catch (error) {
    return [{ what: 'secrets out of 2 MiB', moonhook: { missing: error.stderr || error.message } }];
  }
  return figures.flatMap(({ text, secrets, ms, former_ms, part_ms }) => {
    const what = `${secrets} secret${secrets > 1 ? 's' : ''} out of 2 MiB of ${text}`;
    return [
      { what, unit: 'ms', field: 'ms', moonhook: { ms }, peer: { ms: former_ms }, name: 'former' },
      { what: `${what}, longest part`, unit: 'ms', field: 'ms', moonhook: { ms: part_ms } },
    ];
  });
}
