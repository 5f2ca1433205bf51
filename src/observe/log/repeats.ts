// What fails for one request fails for the next: the first failure is told at once, later ones as a number, once a minute;
// and once that it is over. So a thing that comes and goes causes two lines a minute at most.

/** How long after one line the next about the same thing may come. */
const QUIET_MS = 60_000

/** Things that can be in trouble: names of the configuration by how they fail. */
const MAX_KEPT = 1_000

interface Trouble {
  sinceMs: number
  toldAtMs: number
  failures: number
  untold: number
  /** Told, and not over. */
  isOpen: boolean
}

/** What is said of a trouble that is over. */
export interface TroubleEnd {
  readonly thing: string
  readonly failures: number
  readonly lastedMs: number
}

export class Repeats {
  readonly #troubles = new Map<string, Trouble>()
  #open = 0

  /** True while anything is in trouble: else nobody need look for ends. */
  get isAny(): boolean {
    return this.#open > 0
  }

  /** How many failures went untold since the last line, when this one is worth a line; else null. */
  failed(thing: string, nowMs: number): number | null {
    const known = this.#troubles.get(thing)
    if (known === undefined) {
      if (this.#troubles.size >= MAX_KEPT) return null
      this.#troubles.set(thing, { sinceMs: nowMs, toldAtMs: nowMs, failures: 1, untold: 0, isOpen: true })
      this.#open += 1
      return 0
    }
    known.failures += 1
    if (nowMs - known.toldAtMs < QUIET_MS) {
      known.untold += 1
      return null
    }
    const { untold, isOpen } = known
    if (!isOpen) this.#open += 1
    const since = isOpen ? {} : { sinceMs: nowMs, failures: untold + 1 }
    Object.assign(known, { toldAtMs: nowMs, untold: 0, isOpen: true, ...since })
    return untold
  }

  /** Those of the things that were in trouble, now that they work. */
  worked(isIt: (thing: string) => boolean, nowMs: number): readonly TroubleEnd[] {
    const ends: TroubleEnd[] = []
    for (const [thing, trouble] of this.#troubles) {
      if (!trouble.isOpen || !isIt(thing)) continue
      trouble.isOpen = false
      this.#open -= 1
      ends.push({ thing, failures: trouble.failures, lastedMs: nowMs - trouble.sinceMs })
    }
    return ends
  }
}
