// What services said about keys, remembered for a while by digest. An outage is no verdict and is never kept.

/** Keys remembered of each kind. */
export const MAX_VERDICTS = 10_000

/** When a key was last accepted and last refused; at most one of the two is known. */
export class KeyVerdicts {
  // Apart, so that a flood of made-up keys can't push out those that are good.
  readonly #accepted: RecentTimes
  readonly #refused: RecentTimes
  readonly #asked: RecentTimes
  readonly #unanswered: RecentTimes

  constructor(maxEntries: number = MAX_VERDICTS) {
    this.#accepted = new RecentTimes(maxEntries)
    this.#refused = new RecentTimes(maxEntries)
    this.#asked = new RecentTimes(maxEntries)
    this.#unanswered = new RecentTimes(maxEntries)
  }

  /** A question about a key is under way that nobody waits for. */
  noteAsked(digest: string, atMs: number): void {
    this.#asked.note(digest, atMs)
  }

  noteAccepted(digest: string, atMs: number): void {
    this.#refused.forget(digest)
    this.#accepted.note(digest, atMs)
  }

  /** Takes back an earlier acceptance: what was withdrawn must not live on as stale. */
  noteRefused(digest: string, atMs: number): void {
    this.#accepted.forget(digest)
    this.#refused.note(digest, atMs)
  }

  /** Nobody could say anything of the key: for those only who wait for that very answer. */
  noteUnanswered(digest: string, atMs: number): void {
    this.#unanswered.note(digest, atMs)
  }

  /** Milliseconds since the key was accepted; null when it was not, or that is forgotten. */
  acceptedAgeMs(digest: string, nowMs: number): number | null {
    return this.#accepted.ageMs(digest, nowMs)
  }

  refusedAgeMs(digest: string, nowMs: number): number | null {
    return this.#refused.ageMs(digest, nowMs)
  }

  unansweredAgeMs(digest: string, nowMs: number): number | null {
    return this.#unanswered.ageMs(digest, nowMs)
  }

  /** Milliseconds since the key was last asked about beside a request; null when it was not, or that is forgotten. */
  askedAgeMs(digest: string, nowMs: number): number | null {
    return this.#asked.ageMs(digest, nowMs)
  }
}

/** Times by name; the one that was not looked at for longest goes first when there are too many. */
class RecentTimes {
  readonly #times = new Map<string, number>()
  readonly #maxEntries: number

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  note(name: string, atMs: number): void {
    this.#times.delete(name)
    this.#times.set(name, atMs)
    const [oldest] = this.#times.keys()
    if (this.#times.size > this.#maxEntries && oldest !== undefined) this.#times.delete(oldest)
  }

  ageMs(name: string, nowMs: number): number | null {
    const atMs = this.#times.get(name)
    if (atMs === undefined) return null
    this.#times.delete(name)
    this.#times.set(name, atMs)
    return Math.max(0, nowMs - atMs)
  }

  forget(name: string): void {
    this.#times.delete(name)
  }
}
