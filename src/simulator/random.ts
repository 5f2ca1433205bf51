// Seeded randomness and the small hashes behind it. Not for secrets: what counts is that a seed gives the same run on
// every runtime, so it is all 32-bit integer arithmetic.

/** A generator of numbers in [0, 1). */
export type Random = () => number

/** mulberry32: one word of state, good enough for jitter and made-up text. */
export function createRandom(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** A draw from the normal distribution with mean 0 and deviation 1 (Box-Muller). */
export function gaussian(random: Random): number {
  // 1 - u keeps the logarithm away from zero.
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Folds one more integer into a 32-bit hash. */
export function mix(hash: number, value: number): number {
  let mixed = Math.imul(hash ^ value, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** 32-bit hash of a text. */
export function hashText(text: string, seed = 0): number {
  let hash = mix(seed, text.length)
  for (let index = 0; index < text.length; index++) hash = mix(hash + index, text.charCodeAt(index))
  return hash
}
