// e to the power of x from + - * / alone: `Math.exp` may differ in its last bit between engines, and what is recorded on
// one must come out the same on another.

/** Within a few units of the last place for x from -700 to 700. */
export function naturalExponent(x: number): number {
  const doublings = Math.round(x / Math.LN2)
  const rest = x - doublings * Math.LN2
  let term = 1
  let sum = 1
  for (let power = 1; power <= 20; power += 1) {
    term *= rest / power
    sum += term
  }
  for (let left = Math.abs(doublings); left > 0; left -= 1) sum *= doublings > 0 ? 2 : 0.5
  return sum
}
