// One bucket that everything goes into that a tenant's limits let through: what it would not have let through is the
// overshoot, in every window of time at once.

export class BucketWitness {
  readonly #capacity: number
  readonly #refillPerMs: number
  #level = 0
  #atMs = 0

  constructor(capacity: number, refillPerMs: number) {
    this.#capacity = capacity
    this.#refillPerMs = refillPerMs
  }

  /** The bucket of a limit; one that lets everything through where there is none. */
  static of(limit: number | null, leastCapacity: number, perMs: number): BucketWitness {
    return limit === null
      ? new BucketWitness(Number.MAX_SAFE_INTEGER, 0)
      : new BucketWitness(Math.max(leastCapacity, limit), limit / perMs)
  }

  /** How far over the limit this takes the tenant; 0 when it is within. */
  take(amount: number, nowMs: number): number {
    this.#level = Math.max(0, this.#level - (nowMs - this.#atMs) * this.#refillPerMs) + amount
    this.#atMs = nowMs
    return Math.max(0, this.#level - this.#capacity - 1e-6)
  }
}
