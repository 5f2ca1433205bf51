// What of a tenant's limits is written down for a next life of their store, and when: seldom, and so that whoever starts
// from it never has more to give than there was. A store can be put away between any two reports.

import { type HolderState, type Level, type LimitState, slotsHeld } from './limit-state.ts'
import { meterLimit, METERS, type PerMeter, type TenantLimits } from './meters.ts'

/** How long what was written down serves unless things get worse; nothing counts as refilled in that time. */
const KEPT_MS = 1_000

/** Part of a capacity that is written off, so that not every lease has to be written down. */
const MARGIN = 1 / 8

/** Stands for leases that were not written down any more. */
const UNKNOWN_HOLDERS = ''

export interface KeptLimits extends LimitState {
  readonly untilMs: number
}

interface LastKept {
  readonly levels: PerMeter<Level>
  /** Slots ever leased, by holder. */
  readonly issued: ReadonlyMap<string, number>
  readonly isAnySlotHeld: boolean
  readonly untilMs: number
}

export class LimitKeeper {
  #last: LastKept | null = null
  #margins: PerMeter<number> = {}

  /** What to write down now, before the state changes again; null when what was written down last will do. */
  toKeep(state: LimitState, limits: TenantLimits, nowMs: number): KeptLimits | null {
    if (this.#last !== null && nowMs < this.#last.untilMs && !this.#isWorse(this.#last, state)) return null
    this.#margins = marginsOf(limits)
    const untilMs = nowMs + KEPT_MS
    const levels = this.#reducedLevels(state, untilMs)
    this.#last = { levels, issued: slotsIssued(state), isAnySlotHeld: isAnySlotHeld(state), untilMs }
    return { levels, holders: [...state.holders, this.#unknown(untilMs)], untilMs }
  }

  #isWorse(last: LastKept, state: LimitState): boolean {
    for (const [holder, issued] of slotsIssued(state)) if (issued > (last.issued.get(holder) ?? 0)) return true
    // The last slot that comes back is written down, too: nobody may come by any more to do it later.
    if (last.isAnySlotHeld && !isAnySlotHeld(state)) return true
    return METERS.some((meter) => {
      const [before, now] = [last.levels[meter], state.levels[meter]]
      if (before === undefined || now === undefined) return before !== now
      return now.amount < before.amount || now.issued - before.issued > (this.#margins[meter] ?? 0)
    })
  }

  #reducedLevels(state: LimitState, atMs: number): PerMeter<Level> {
    const levels: PerMeter<Level> = {}
    for (const meter of METERS) {
      const level = state.levels[meter]
      if (level !== undefined) levels[meter] = { ...level, amount: level.amount - (this.#margins[meter] ?? 0), atMs }
    }
    return levels
  }

  #unknown(seenAtMs: number): HolderState {
    const meters: HolderState['meters'] = {}
    for (const meter of METERS) {
      const granted = meter === 'slots' ? 0 : (this.#margins[meter] ?? 0)
      meters[meter] = { granted, returned: 0, used: 0, refunded: 0, expected: 0 }
    }
    return { name: UNKNOWN_HOLDERS, revision: 0, seenAtMs, isCounted: false, meters }
  }
}

/** The state that starts from what was written down, which becomes part of it. */
export function resumeLimits({ levels, holders, untilMs }: KeptLimits, nowMs: number): LimitState {
  for (const holder of holders) {
    holder.isCounted = false
    // Reports that came since are not in it, nor what was leased for them.
    holder.seenAtMs = holder.name === UNKNOWN_HOLDERS ? nowMs : Math.max(holder.seenAtMs, untilMs)
  }
  return { levels, holders }
}

function slotsIssued({ holders }: LimitState): ReadonlyMap<string, number> {
  return new Map(holders.map(({ name, meters: { slots } }) => [name, slots?.granted ?? 0]))
}

function isAnySlotHeld({ holders }: LimitState): boolean {
  return holders.some((holder) => slotsHeld(holder) > 0)
}

function marginsOf(limits: TenantLimits): PerMeter<number> {
  const margins: PerMeter<number> = {}
  for (const meter of METERS) margins[meter] = Math.floor((meterLimit(limits, meter)?.capacity ?? 0) * MARGIN)
  return margins
}
