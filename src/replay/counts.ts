// How many requests came to what, altogether and by group.

import type { Verdict } from './compare.ts'

export interface Counts {
  total: number
  same: number
  different: number
  newly_refused: number
  newly_served: number
  neither: number
  not_comparable: number
}

export function noCounts(): Counts {
  return { total: 0, same: 0, different: 0, newly_refused: 0, newly_served: 0, neither: 0, not_comparable: 0 }
}

export function count(counts: Counts, verdict: Verdict): void {
  counts.total += 1
  counts[verdict] += 1
}

/** Groups that are told apart; the rest is one group. */
const MAX_GROUPS = 1_000

export const OTHER_GROUPS = '(others)'

/** What a record is called that lacks what it is grouped by. */
export const NO_GROUP = '(none)'

export class GroupedCounts {
  readonly #groups = new Map<string, Counts>()

  add(group: string | undefined, verdict: Verdict): void {
    const name = group ?? NO_GROUP
    const known = this.#groups.get(name)
    if (known !== undefined) return count(known, verdict)
    const isRoom = this.#groups.size < MAX_GROUPS
    const counts = (isRoom ? undefined : this.#groups.get(OTHER_GROUPS)) ?? noCounts()
    this.#groups.set(isRoom ? name : OTHER_GROUPS, counts)
    count(counts, verdict)
  }

  /** In the order of their names. */
  entries(): readonly (readonly [string, Counts])[] {
    return [...this.#groups].sort(([one], [other]) => (one < other ? -1 : 1))
  }
}

/** Reasons by how often they were given. */
export class ReasonCounts<Detail> {
  readonly #reasons = new Map<string, { readonly detail: Detail; count: number }>()

  /** `detail` of the first that gave it is kept. */
  add(why: string, detail: Detail): void {
    const known = this.#reasons.get(why)
    if (known !== undefined) known.count += 1
    else if (this.#reasons.size < MAX_GROUPS) this.#reasons.set(why, { detail, count: 1 })
  }

  /** Most frequent first. */
  entries(): readonly { readonly why: string; readonly detail: Detail; readonly count: number }[] {
    return [...this.#reasons]
      .map(([why, { detail, count: times }]) => ({ why, detail, count: times }))
      .sort((one, other) => other.count - one.count)
  }
}
