// Whose turn it is when weights differ: a rotation that needs no memory, only the number of the turn.
// Each cycle gives every weight exactly its slots, spread by the golden ratio so that nobody's turns come in a burst.

/** A cycle of turns: turn t falls on slot `t * step mod length`, and `ends[i]` is one past weight i's last slot. */
export interface Rotation {
  readonly length: number
  readonly step: number
  readonly ends: readonly number[]
}

/**
 * The longest cycle and its step: two neighbours of the Fibonacci sequence, the most even step there is. Short enough
 * that products of two slot numbers stay exact in a double.
 */
const LONGEST_CYCLE = { length: 63_245_986, step: 39_088_169 }
const GOLDEN = 0.6180339887498949
/** A step is even enough when no quotient of its continued fraction is larger; the golden ratio's are all 1. */
const EVEN_QUOTIENT = 3
/** How far from the golden ratio of a cycle a step is looked for. */
const STEPS_TRIED = 8

/**
 * The rotation for positive weights. Weights in small whole proportion (2:1, 0.5:1.5, up to two decimals) get their
 * exact shares in every cycle; others get them to one slot in 63 million.
 */
export function planRotation(weights: readonly number[]): Rotation {
  const slots = wholeProportions(weights)
  const exact = slots === null ? null : exactRotation(runningSums(slots))
  return exact ?? { ...LONGEST_CYCLE, ends: approximateEnds(weights) }
}

/** A cycle of exactly these slots, or of a small multiple: some lengths, such as 6, have no even step. */
function exactRotation(ends: readonly number[]): Rotation | null {
  const shortest = ends.at(-1) ?? 0
  for (let times = 1; times <= 8 && shortest * times <= LONGEST_CYCLE.length; times += 1) {
    const step = evenStep(shortest * times)
    if (step !== null) return { length: shortest * times, step, ends: ends.map((end) => end * times) }
  }
  return null
}

/** Turns until weight `index` is served, counted from turn `ticket`: 0 when it is its turn; `length` when never. */
export function turnsUntil(rotation: Rotation, ticket: number, index: number): number {
  const { length, step, ends } = rotation
  const start = index === 0 ? 0 : (ends[index - 1] ?? 0)
  const end = ends[index] ?? 0
  if (start === end) return length
  const now = ((ticket % length) * step) % length
  if (now >= start && now < end) return 0
  const low = (start - now + length) % length
  const turns = firstMultipleWithin(step, length, low, low + end - start - 1)
  return turns === -1 ? length : turns
}

/** Smallest n >= 0 with low <= n * step mod modulus <= high, in O(log modulus) by Euclid's descent; -1 when none. */
export function firstMultipleWithin(step: number, modulus: number, low: number, high: number): number {
  if (low === 0) return 0
  if (step === 0) return -1
  // Walking backwards halves the step, which keeps the descent logarithmic.
  if (2 * step > modulus) return firstMultipleWithin(modulus - step, modulus, modulus - high, modulus - low)
  const count = Math.ceil(low / step)
  if (count * step <= high) return count
  const wraps = firstMultipleWithin((step - (modulus % step)) % step, step, low % step, high % step)
  return wraps === -1 ? -1 : Math.ceil((low + modulus * wraps) / step)
}

/** The smallest whole numbers in the weights' proportion; null when there are none. */
function wholeProportions(weights: readonly number[]): number[] | null {
  const smallest = weights.reduce((least, weight) => Math.min(least, weight), Number.POSITIVE_INFINITY)
  for (let times = 1; times <= 100; times += 1) {
    if (!weights.every((weight) => isNearlyWhole((weight / smallest) * times))) continue
    return weights.map((weight) => Math.round((weight / smallest) * times))
  }
  return null
}

function isNearlyWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) <= 1e-9 * value
}

function runningSums(counts: readonly number[]): number[] {
  let sum = 0
  return counts.map((count) => (sum += count))
}

function approximateEnds(weights: readonly number[]): number[] {
  const sums = runningSums(weights)
  const total = sums.at(-1) ?? 1
  return sums.map((sum) => Math.round((sum / total) * LONGEST_CYCLE.length))
}

/** The step nearest to the golden ratio that reaches every slot and leaves no long gaps; null when none does. */
function evenStep(length: number): number | null {
  const golden = Math.round(length * GOLDEN)
  for (let away = 0; away <= STEPS_TRIED; away += 1) {
    for (const step of [golden + away, golden - away]) {
      if (step > 0 && step < length && largestQuotient(length, step) <= EVEN_QUOTIENT) return step
    }
  }
  return null
}

/** Largest quotient of Euclid's algorithm, a bound on how unevenly multiples fall; infinite when they repeat early. */
function largestQuotient(length: number, step: number): number {
  let [larger, smaller, largest] = [length, step, 0]
  while (smaller > 1) {
    largest = Math.max(largest, Math.floor(larger / smaller))
    ;[larger, smaller] = [smaller, larger % smaller]
  }
  if (smaller === 0) return Number.POSITIVE_INFINITY
  return Math.max(largest, larger)
}
