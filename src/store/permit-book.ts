// Permits to send a request to a worker whose breaker is half open: who has which, and when one that nobody speaks of any
// more may be given to somebody else.

import type { HeldPermit, ProbePermit } from './fleet-store.ts'

/** A permit not in use is its holder's for this long, calls included. */
const UNUSED_MS = 4_000

/** A holder's report that was under way when it was given a permit does not list it yet; later ones do, or it is free. */
const UNLISTED_MS = 2_000

/** One that nobody below asked for is given back after this long, so that whoever gets it can still start in time. */
const UNCLAIMED_MS = 1_000

/** A permit in use counts for this long after its holder last spoke of it: the holder may be gone. */
export const IN_USE_MS = 15_000

/** How long a holder may wait with the request it was given a permit for, from when it asked. */
export const START_WITHIN_MS = 1_500

interface Entry {
  readonly workerId: string
  /** Null while nobody below has it. */
  holder: string | null
  readonly sinceMs: number
  /** When its holder last said that it is in use. */
  usedAtMs: number
  isInUse: boolean
}

export class PermitBook {
  readonly #entries = new Map<number, Entry>()
  #highestId = 0

  /** Makes a permit for `holder`. */
  issue(workerId: string, holder: string, nowMs: number): ProbePermit {
    // Ids go up with the time, so that another life of this memory gives none that a holder still has.
    const permit = { id: Math.max(this.#highestId + 1, nowMs * 1_000), workerId }
    this.add(permit, holder, nowMs)
    return permit
  }

  /** Notes a permit, given to `holder` or, null, at hand for whoever asks. */
  add({ id, workerId }: ProbePermit, holder: string | null, nowMs: number): void {
    this.#highestId = Math.max(this.#highestId, id)
    this.#entries.set(id, { workerId, holder, sinceMs: nowMs, usedAtMs: nowMs, isInUse: false })
  }

  /** A holder says which permits it has. One it lists that is not known here is taken over: this memory is a new one. */
  heard(holder: string, listed: readonly HeldPermit[], nowMs: number): void {
    this.#expire(nowMs)
    for (const permit of listed) {
      if (!this.#entries.has(permit.id)) this.add(permit, holder, nowMs)
      const entry = this.#entries.get(permit.id)
      if (entry === undefined || !permit.isInUse) continue
      entry.isInUse = true
      entry.usedAtMs = nowMs
    }
    const ids = new Set(listed.map(({ id }) => id))
    for (const [id, entry] of this.#entries) {
      const isGivenBack = entry.isInUse || nowMs - entry.sinceMs > UNLISTED_MS
      if (entry.holder === holder && !ids.has(id) && isGivenBack) this.#entries.delete(id)
    }
  }

  /** Permits of one worker that are not free. */
  outstanding(workerId: string, nowMs: number): number {
    this.#expire(nowMs)
    let count = 0
    for (const entry of this.#entries.values()) if (entry.workerId === workerId) count += 1
    return count
  }

  /** Gives what is at hand to `holder`. */
  claim(holder: string, nowMs: number): readonly ProbePermit[] {
    this.#expire(nowMs)
    const claimed: ProbePermit[] = []
    for (const [id, entry] of this.#entries) {
      if (entry.holder !== null) continue
      entry.holder = holder
      claimed.push({ id, workerId: entry.workerId })
    }
    return claimed
  }

  /** Every permit that is not free, as a report to a state above lists them. */
  list(nowMs: number): readonly HeldPermit[] {
    this.#expire(nowMs)
    return Array.from(this.#entries, ([id, { workerId, isInUse }]) => ({ id, workerId, isInUse }))
  }

  #expire(nowMs: number): void {
    for (const [id, { holder, sinceMs, usedAtMs, isInUse }] of this.#entries) {
      const unusedMs = holder === null ? UNCLAIMED_MS : UNUSED_MS
      if (isInUse ? nowMs - usedAtMs > IN_USE_MS : nowMs - sinceMs > unusedMs) this.#entries.delete(id)
    }
  }
}
