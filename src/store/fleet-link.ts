// What a process or isolate has of the fleet, whatever configuration it runs: the last snapshot, its own leases, what its
// requests found out, and leased turns. Configurations come and go over it (fleet-mirror.ts).

import { FleetLease, type Lease, type LeaseOwner } from './fleet-lease.ts'
import type { FleetSnapshot, FleetStore } from './fleet-store.ts'
import { HeldPermits } from './held-permits.ts'
import { LEASE_TTL_MS } from './holder-book.ts'
import { createLeaseBook, type LeaseBook } from './lease-book.ts'
import type { Outcome } from './outcome-ledger.ts'
import { type EndedAttempt, OwnEvidence } from './own-evidence.ts'
import { REFRESH_AFTER_MS, SnapshotCopy } from './snapshot-copy.ts'
import { createTicketDesk, type TicketDesk } from './ticket-desk.ts'
import { firstChanges, type WorkerChange, workerChanges } from './worker-changes.ts'

/** While requests run, the fleet hears of them this often at least, traffic or not. */
const HEARTBEAT_MS = 4_000

/** Times of different clocks in milliseconds: what is this little older than the question need not be. */
const AGE_TOLERANCE_MS = 50

export interface LinkOptions {
  readonly store: FleetStore
  now(): number
  random(): number
  randomId(): string
  /** The store could not be asked; routing goes on with the older copy. */
  onSyncFailed(cause: unknown): void
  /** It answers again. */
  onSyncRecovered?(): void
  /** A worker is not what it was when the store was last asked. */
  onWorkerChanged?(change: WorkerChange): void
}

/** What of the fleet an attempt begins on. */
export interface AcquireOptions {
  readonly candidateId: string
  readonly attempt: EndedAttempt
  /** Whether it may go there only with a permit. */
  readonly needsPermit: boolean
  readonly beside: (task: Promise<unknown>) => void
}

export class FleetLink {
  readonly store: FleetStore
  readonly leases: LeaseBook
  readonly desk: TicketDesk
  readonly evidence: OwnEvidence
  readonly permits: HeldPermits
  readonly #options: LinkOptions
  /** Name of this holder of leases. */
  readonly #holder: string
  readonly #owner: LeaseOwner = {
    ended: (outcome, attempt) => this.#ended(outcome, attempt),
    released: (lease) => this.#released(lease),
    renewed: (lease) => this.#renewed(lease),
  }
  readonly #copy = new SnapshotCopy()
  #askedAtMs = Number.NEGATIVE_INFINITY
  #didLastSyncFail = false
  /** Requests have asked for turns that are leased; under most policies none do. */
  #takesTurns = false
  /** Something is to be told that must not wait in a copy in between. */
  #hasUrgentNews = false
  /** Candidates that the last report said had work of ours. */
  #reported: ReadonlyMap<string, number> = new Map()

  constructor(options: LinkOptions) {
    this.store = options.store
    this.#options = options
    this.#holder = options.randomId()
    this.leases = createLeaseBook(options.now)
    // A random start, so that isolates that have no block yet don't all begin at the same worker.
    this.desk = createTicketDesk(() => Math.floor(options.random() * 1_000_000))
    this.evidence = new OwnEvidence(options.now, this.#holder)
    this.permits = new HeldPermits(options.now)
  }

  now(): number {
    return this.#options.now()
  }

  /** The last copy of the fleet's state; null before the first. */
  snapshot(): FleetSnapshot | null {
    return this.#copy.snapshot
  }

  /** How long ago the last copy was taken, whatever other clocks say. */
  snapshotAgeMs(): number {
    return this.#copy.ageMs(this.#options.now())
  }

  /** The store's word, `stale` when it could not be asked last time, `none` when it never answered. */
  source(): string {
    if (this.#copy.snapshot === null) return 'none'
    return this.#didLastSyncFail ? 'stale' : this.store.source
  }

  /** Whether requests take turns that are leased ahead. */
  takesTurns(): boolean {
    return this.#takesTurns
  }

  /**
   * Makes sure that the copy is young enough to decide on. Returns null when it is (the usual case: no call was made),
   * else a promise of it. Never rejects: an unreachable store leaves the older copy in place, and views say `stale`.
   * `ticketKey` is what the request will want a turn of, leased along when a call is made anyway.
   */
  ensureFresh(waitUntil: (task: Promise<unknown>) => void, ticketKey: string | null): Promise<void> | null {
    const nowMs = this.#options.now()
    const isTooOld = this.#copy.isTooOld(nowMs)
    if (!isTooOld && !this.#copy.isDue(nowMs)) return null
    const hasAskedLately = nowMs - this.#askedAtMs <= REFRESH_AFTER_MS
    // A store that fails is asked once a second, not by each request; one that is slow is waited for only when the copy
    // is too old, and each request makes its own call, as on workerd no request may wait for another's promise.
    const canGoOn = !isTooOld || (this.#didLastSyncFail && this.#copy.snapshot !== null)
    if (hasAskedLately && canGoOn) return null
    this.#takesTurns ||= ticketKey !== null && this.store.ticketNow === null
    const refreshed = this.refresh({ ticketKey, wantsPermits: true })
    if (isTooOld) return refreshed
    waitUntil(refreshed)
    return null
  }

  /** Begins an attempt. */
  acquire({ candidateId, attempt, needsPermit, beside }: AcquireOptions): Lease {
    const permit = needsPermit ? this.permits.take(attempt.workerId) : null
    const booked = this.leases.acquire(candidateId, attempt.workerId)
    // Whoever gives permits must know that this one is in use before its time to start is over.
    if (permit !== null) this.#tellNow(beside)
    return new FleetLease({ owner: this.#owner, booked, attempt, permit, beside })
  }

  /** Asks the store now. `isUrgent`: past any copy in between. Never rejects. */
  async refresh({ ticketKey = null, wantsPermits = false, isUrgent = false }: RefreshOptions = {}): Promise<void> {
    const askedAtMs = this.#options.now()
    this.#askedAtMs = askedAtMs
    const unreachable = this.evidence.takeReports()
    const outcomes = this.evidence.batch()
    const inFlight = this.leases.report()
    const isNews = this.#hasUrgentNews
    this.#hasUrgentNews = false
    try {
      const fresh = await this.store.sync({
        holder: this.#holder,
        inFlight,
        quietMs: this.#quietMs(askedAtMs),
        unheardMs: new Map(),
        unreachable,
        outcomes,
        permits: this.permits.list(),
        wantsPermits,
        ticketsWanted: this.desk.wanted(this.#takesTurns ? ticketKey : null),
        isUrgent: isUrgent || isNews,
      })
      this.#reported = inFlight
      this.permits.accept(fresh.permits, askedAtMs)
      this.evidence.markDelivered(outcomes)
      // A copy in between may have the report and hand on what the fleet knew before it, while it can't ask.
      if (fresh.ageMs <= this.#options.now() - askedAtMs + AGE_TOLERANCE_MS) this.evidence.markWeighed()
      this.desk.accept(fresh.tickets)
      if (this.#didLastSyncFail) this.#options.onSyncRecovered?.()
      this.#didLastSyncFail = false
      this.#adopt(fresh, askedAtMs)
    } catch (cause) {
      // Routing goes on with the older copy; `view().source` says so in every record until a sync succeeds.
      this.#didLastSyncFail = true
      this.#hasUrgentNews ||= isNews
      this.evidence.putBack(unreachable)
      this.#options.onSyncFailed(cause)
    }
  }

  #adopt(fresh: FleetSnapshot, askedAtMs: number): void {
    const before = this.#copy.snapshot
    this.#copy.adopt(fresh, askedAtMs, this.#options.now())
    const after = this.#copy.snapshot
    if (after === null) return
    for (const change of before === null ? firstChanges(after) : workerChanges(before, after))
      this.#options.onWorkerChanged?.(change)
  }

  /** Of workers that delivered something since they could last be told of. */
  #quietMs(nowMs: number): ReadonlyMap<string, number> {
    const quietMs = new Map<string, number>()
    for (const [workerId, atMs] of this.leases.lastBytes()) {
      if (nowMs - atMs <= LEASE_TTL_MS) quietMs.set(workerId, Math.max(0, nowMs - atMs))
    }
    return quietMs
  }

  #ended(outcome: Outcome, attempt: EndedAttempt): void {
    if (!this.evidence.note(outcome, attempt)) return
    this.#hasUrgentNews = true
    // The next request that looks finds the copy due for a refresh, should the lease end before it can tell.
    this.#copy.refreshSoon(this.#options.now())
  }

  #released({ attempt, permit, beside }: FleetLease): void {
    if (permit !== null) this.permits.giveBack(permit)
    const isDrained = this.#copy.isDrained(attempt.workerId) && !this.leases.hasWork(attempt.workerId)
    const isIdle = this.leases.total() === 0 && this.#reported.size > 0
    if (permit !== null || isDrained || this.#hasUrgentNews) this.#tellNow(beside)
    else if (isIdle) beside(this.refresh())
  }

  #renewed({ activity, permit, beside }: FleetLease): void {
    if (permit !== null && activity.lastByteAtMs === null) this.permits.renew(permit)
    if (this.#options.now() - this.#askedAtMs < HEARTBEAT_MS) return
    // Work that the fleet has not heard of at all could pass for a worker without any.
    const isUnknown = [...this.leases.report().keys()].some((candidateId) => !this.#reported.has(candidateId))
    if (isUnknown) this.#tellNow(beside)
    else beside(this.refresh())
  }

  #tellNow(beside: (task: Promise<unknown>) => void): void {
    this.#hasUrgentNews = true
    beside(this.refresh())
  }
}

interface RefreshOptions {
  readonly ticketKey?: string | null
  readonly wantsPermits?: boolean
  readonly isUrgent?: boolean
}
