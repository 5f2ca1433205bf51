// Repeatable randomness: the same seed gives the same numbers on every JavaScript engine.
// Nothing here is fit for secrets.

/** Rounds thrown away so that neighbouring seeds share no visible pattern; the figure PractRand uses for sfc32. */
const WARM_UP_ROUNDS = 12

/**
 * A generator of numbers in [0, 1) with 32 bits each: Chris Doty-Humphrey's sfc32, from 32-bit integer arithmetic only.
 * `seed` is an integer; 53 bits of it count.
 */
export function randomFrom(seed: number): () => number {
  let a = seed | 0
  let b = Math.floor(seed / 0x1_0000_0000) | 0
  let c = 0x9e3779b9 | 0
  let counter = 1
  const next = (): number => {
    const result = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + result) | 0
    return (result >>> 0) / 0x1_0000_0000
  }
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) next()
  return next
}
