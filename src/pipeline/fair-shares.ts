// Who has had how much of something scarce, by weight: what counts is how long a party has held it while others had to
// do without. Fair queueing with the time held as the cost, since requests may run for a millisecond or for minutes.

/** One party's account. */
export interface Share {
  weight: number
  /** What it holds at the moment. */
  held: number
  /** Time it held anything while others waited, over its weight. */
  usedMs: number
  chargedAtMs: number
}

/** What is held counts for this long beside the time it has taken, so that things freed at once are shared as well. */
const HEAD_START_MS = 1_000

export class FairShares {
  readonly #now: () => number
  readonly #shares = new Set<Share>()
  /** `usedMs` of the party served last: where one that comes back starts, without credit for its absence. */
  #clockMs = 0

  constructor(now: () => number) {
    this.#now = now
  }

  open(weight: number): Share {
    const share = { weight, held: 0, usedMs: 0, chargedAtMs: this.#now() }
    this.#shares.add(share)
    return share
  }

  setWeight(share: Share, weight: number): void {
    if (share.weight === weight) return
    this.#charge(share)
    share.weight = weight
  }

  /** Nobody did without until now, so what was used is no debt. */
  forget(): void {
    const nowMs = this.#now()
    this.#clockMs = 0
    for (const share of this.#shares) {
      share.usedMs = 0
      share.chargedAtMs = nowMs
    }
  }

  /** The party wants something and has nothing on order. */
  begin(share: Share): void {
    this.#charge(share)
    share.usedMs = Math.max(share.usedMs, this.#clockMs)
  }

  take(share: Share): void {
    this.#charge(share)
    share.held += 1
  }

  giveBack(share: Share): void {
    this.#charge(share)
    share.held -= 1
  }

  /** The one of these that has had least of its part. */
  next<Party extends Share>(parties: Iterable<Party>): Party | null {
    let next: Party | null = null
    let least = Number.POSITIVE_INFINITY
    for (const party of parties) {
      this.#charge(party)
      const claimed = party.usedMs + (HEAD_START_MS * (party.held + 1)) / party.weight
      if (claimed >= least) continue
      least = claimed
      next = party
    }
    if (next !== null) this.#clockMs = Math.max(this.#clockMs, next.usedMs)
    return next
  }

  #charge(share: Share): void {
    const nowMs = this.#now()
    share.usedMs += (share.held * Math.max(0, nowMs - share.chargedAtMs)) / share.weight
    share.chargedAtMs = nowMs
  }
}
