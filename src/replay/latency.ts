// Latencies by the million in bounded memory: counts in buckets that are a millisecond wide up to 128 ms and less than a
// hundredth of their value from there on. Two histograms are merged by adding their counts.

/** Buckets between a power of two and the next. */
const STEPS = 128

export interface LatencySummary {
  readonly count: number
  readonly p50: number | null
  readonly p90: number | null
  readonly p99: number | null
  /** Upper end of a bucket in milliseconds, and how many were in it; in order, empty ones left out. */
  readonly histogram: readonly (readonly [number, number])[]
}

export class LatencyHistogram {
  /** Counts by the lower end of a bucket. */
  readonly #counts = new Map<number, number>()
  #count = 0

  add(ms: number): void {
    const width = widthAt(ms)
    const low = Math.floor(ms / width) * width
    this.#counts.set(low, (this.#counts.get(low) ?? 0) + 1)
    this.#count += 1
  }

  summary(): LatencySummary {
    const sorted = [...this.#counts].sort(([one], [other]) => one - other)
    return {
      count: this.#count,
      p50: percentile(sorted, this.#count, 0.5),
      p90: percentile(sorted, this.#count, 0.9),
      p99: percentile(sorted, this.#count, 0.99),
      histogram: sorted.map(([low, count]) => [upperEnd(low), count] as const),
    }
  }
}

function widthAt(ms: number): number {
  return ms < STEPS ? 1 : 2 ** (Math.floor(Math.log2(ms)) - Math.log2(STEPS))
}

/** The largest whole millisecond of a bucket. */
function upperEnd(low: number): number {
  return Math.max(low, Math.ceil(low + widthAt(low)) - 1)
}

/** The value with that part of the others below it, as the highest that its bucket holds. */
function percentile(sorted: readonly (readonly [number, number])[], count: number, part: number): number | null {
  let left = Math.floor(part * count)
  for (const [low, here] of sorted) {
    left -= here
    if (left < 0) return upperEnd(low)
  }
  return null
}
