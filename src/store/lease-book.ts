// Requests this process or isolate has in flight, as leases: taken once, given back once, and forgotten when nobody
// renews them (an isolate's request can be dropped by the platform without any of our code running).

import { Bag, type Bagged } from './bag.ts'
import { LEASE_TTL_MS } from './holder-book.ts'

/** What a request's worker did lately; written by whoever reads its answer. */
export interface LeaseActivity {
  /** When its last byte came; null before the first. */
  lastByteAtMs: number | null
  /** Whether somebody waits for its next byte: one whose client does not read is not silent. */
  isWaiting: boolean
}

/** One request in flight on one candidate. */
export interface BookedLease {
  readonly activity: LeaseActivity
  /** Gives the place back. True the first time. */
  release(): boolean
  /** Says that the request is still alive. */
  renew(): void
  /** Says that its worker has just delivered something. */
  touch(): void
}

export interface LeaseBook {
  acquire(candidateId: string, workerId: string): BookedLease
  /** Requests in flight on a candidate. */
  count(candidateId: string): number
  total(): number
  /** Counts by candidate as they are; a nought counts for nothing. */
  busy(): ReadonlyMap<string, number>
  /** Whether any request is in flight on a worker. */
  hasWork(workerId: string): boolean
  /** Counts by candidate, without candidates that have none; drops leases that nobody renewed. */
  report(): ReadonlyMap<string, number>
  /** When each worker last delivered a byte, for those that ever did. */
  lastBytes(): ReadonlyMap<string, number>
}

export function createLeaseBook(now: () => number): LeaseBook {
  return new Book(now)
}

class Book implements LeaseBook {
  readonly now: () => number
  /** Those that have none keep their nought until the next report: most get another request soon. */
  readonly #counts = new Map<string, number>()
  readonly #live = new Bag<LiveLease>()
  readonly #lastByteAtMs = new Map<string, number>()

  constructor(now: () => number) {
    this.now = now
  }

  acquire(candidateId: string, workerId: string): BookedLease {
    const lease = new LiveLease(this, candidateId, workerId)
    this.#live.add(lease)
    this.#counts.set(candidateId, this.count(candidateId) + 1)
    return lease
  }

  giveBack(lease: LiveLease): boolean {
    if (!this.#live.remove(lease)) return false
    this.#noteBytes(lease)
    this.#counts.set(lease.candidateId, this.count(lease.candidateId) - 1)
    return true
  }

  count(candidateId: string): number {
    return this.#counts.get(candidateId) ?? 0
  }

  total(): number {
    return this.#live.all.length
  }

  busy(): ReadonlyMap<string, number> {
    return this.#counts
  }

  hasWork(workerId: string): boolean {
    return this.#live.all.some((lease) => lease.workerId === workerId)
  }

  report(): ReadonlyMap<string, number> {
    const oldestMs = this.now() - LEASE_TTL_MS
    const forgotten = this.#live.all.filter(({ renewedAtMs }) => renewedAtMs < oldestMs)
    for (const lease of forgotten) this.giveBack(lease)
    for (const [candidateId, count] of this.#counts) if (count === 0) this.#counts.delete(candidateId)
    return new Map(this.#counts)
  }

  lastBytes(): ReadonlyMap<string, number> {
    for (const lease of this.#live.all) this.#noteBytes(lease)
    return this.#lastByteAtMs
  }

  #noteBytes({ workerId, activity }: LiveLease): void {
    const atMs = activity.isWaiting ? activity.lastByteAtMs : this.now()
    if (atMs === null) return
    this.#lastByteAtMs.set(workerId, Math.max(atMs, this.#lastByteAtMs.get(workerId) ?? atMs))
  }
}

class LiveLease implements BookedLease, Bagged {
  readonly candidateId: string
  readonly workerId: string
  readonly activity: LeaseActivity = { lastByteAtMs: null, isWaiting: true }
  bagAt = -1
  renewedAtMs: number
  readonly #book: Book

  constructor(book: Book, candidateId: string, workerId: string) {
    this.#book = book
    this.candidateId = candidateId
    this.workerId = workerId
    this.renewedAtMs = book.now()
  }

  release(): boolean {
    return this.#book.giveBack(this)
  }

  renew(): void {
    this.renewedAtMs = this.#book.now()
  }

  touch(): void {
    this.activity.lastByteAtMs = this.#book.now()
  }
}
