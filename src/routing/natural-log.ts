// The natural logarithm from + - * / alone. `Math.log` may differ in its last bit between V8 and JavaScriptCore, and a
// stored decision must re-execute to the same bytes on both.

const TWO_TO_32 = 0x1_0000_0000

/**
 * ln(x) for positive finite x, within a few units of the last place; NaN for everything else. x is split into
 * m * 2^e with m near 1, and ln m = 2 artanh((m - 1) / (m + 1)) is summed as a power series.
 */
export function naturalLog(x: number): number {
  if (!(x > 0 && x < Number.POSITIVE_INFINITY)) return Number.NaN
  let mantissa = x
  let exponent = 0
  // Powers of two scale without rounding. First into [2^-32, 1), where numbers drawn or hashed nearly always are;
  for (; mantissa < 1 / TWO_TO_32; exponent -= 32) mantissa *= TWO_TO_32
  for (; mantissa >= 1; exponent += 32) mantissa /= TWO_TO_32
  // then into [1/2, 1) at one go, as a loop of doublings costs more in mispredicted branches than all the rest.
  const zeros = Math.clz32(mantissa * TWO_TO_32)
  mantissa *= (1 << zeros) >>> 0
  exponent -= zeros
  const isSmall = belowRootOfHalf(mantissa)
  return (exponent - isSmall) * Math.LN2 + logNearOne(mantissa * (1 + isSmall))
}

/** The first 32 bits of the root of one half. */
const ROOT_OF_HALF = Math.floor(Math.SQRT1_2 * TWO_TO_32)

/** 1 for what is below the root of one half, of [1/2, 1), else 0: by a sign, as a branch would be guessed wrong half the time. */
function belowRootOfHalf(mantissa: number): number {
  const bits = Math.floor(mantissa * TWO_TO_32)
  if (bits === ROOT_OF_HALF) return mantissa < Math.SQRT1_2 ? 1 : 0
  return ((bits | 0) - (ROOT_OF_HALF | 0)) >>> 31
}

function logNearOne(mantissa: number): number {
  const ratio = (mantissa - 1) / (mantissa + 1)
  const square = ratio * ratio
  // |ratio| <= 0.172, so the first term left out is below 2^-53 of the sum.
  let sum = 1 / 21
  sum = sum * square + 1 / 19
  sum = sum * square + 1 / 17
  sum = sum * square + 1 / 15
  sum = sum * square + 1 / 13
  sum = sum * square + 1 / 11
  sum = sum * square + 1 / 9
  sum = sum * square + 1 / 7
  sum = sum * square + 1 / 5
  sum = sum * square + 1 / 3
  return 2 * ratio * (sum * square + 1)
}
