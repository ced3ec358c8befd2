// chance.mjs - random numbers that can be had again: MH_SEED, which a test prints.
export const seed = Number(process.env.MH_SEED ?? Date.now() % 1_000_000);

let state = seed;

// From 0 up to 1 (mulberry32).
export function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

export const between = (low, high) => Math.floor(low + random() * (high - low));
