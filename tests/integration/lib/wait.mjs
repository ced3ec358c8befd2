// wait.mjs - waiting that always ends: what does not come in time is an error that
// says what was waited for. A whole test file has a limit, too, so that nothing hangs.
import { setTimeout as sleep } from 'node:timers/promises';

export const PATIENCE_MS = 20_000;      // generous: sanitized builds on busy machines
const FILE_LIMIT_MS = Number(process.env.MH_FILE_LIMIT_MS ?? 170_000);      // `make soak` has more

setTimeout(() => {
  console.error(`this test file ran for more than ${FILE_LIMIT_MS / 1000} s and was ended`);
  process.exit(1);
}, FILE_LIMIT_MS).unref();

// The promise's value, or an error when it takes longer than `ms`.
export async function within(promise, what, ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// For what no event tells: asks until the answer is truthy and gives it.
export async function eventually(ask, what, ms = PATIENCE_MS) {
  const until = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > until) throw new Error(`${what}: not within ${ms} ms`);
    await sleep(10);
  }
}

// Items that arrive, and waiting for some of them without asking again and again.
export class Arrivals {
  items = [];
  #waiting = new Set();

  add(item) {
    this.items.push(item);
    for (const look of this.#waiting) look();
  }

  // `find(items)`'s first truthy value.
  until(find, what, ms) {
    let look;
    const found = new Promise((resolve, reject) => {
      look = () => {
        try {
          const value = find(this.items);
          if (value) resolve(value);
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.add(look);
      look();
    });
    return within(found, what, ms).finally(() => this.#waiting.delete(look));
  }
}
