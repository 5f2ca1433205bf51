// This process's or isolate's copy of the fleet: the last snapshot, its own leases on top, and leased turns. Requests
// decide on it without asking anybody; it refreshes itself beside them.

import type { WorkerConfig } from '../config/config.ts'
import type { CandidateView } from '../routing/policy.ts'
import { FailureWatch } from './failure-watch.ts'
import { type FleetRoster, toRoster } from './fleet-roster.ts'
import type { FleetSnapshot, FleetStore } from './fleet-store.ts'
import { createLeaseBook, type Lease, type LeaseBook } from './lease-book.ts'
import { createTicketDesk, type TicketDesk } from './ticket-desk.ts'

/** A snapshot older than this is refreshed beside the request that noticed. */
const REFRESH_AFTER_MS = 1_000

/** A snapshot older than this is refreshed before deciding. */
const TOO_OLD_MS = 2_000

export interface MirrorOptions {
  readonly store: FleetStore
  readonly workers: readonly WorkerConfig[]
  now(): number
  random(): number
  randomId(): string
  /** The store could not be asked; routing goes on with the older copy. */
  onSyncFailed(cause: unknown): void
}

/** The fleet as one request sees it; fits `FleetView` of the routing. */
export interface MirrorView {
  /** The store's word, `stale` when it could not be asked last time, `none` when it never answered. */
  readonly source: string
  readonly ageMs: number
  readonly candidates: readonly CandidateView[]
}

export class FleetMirror {
  readonly #options: MirrorOptions
  /** Name of this holder of leases. */
  readonly #holder: string
  readonly #workers: ReadonlyMap<string, WorkerConfig>
  readonly #leases: LeaseBook
  readonly #desk: TicketDesk
  readonly #failures: FailureWatch
  #roster: FleetRoster
  #snapshot: FleetSnapshot | null = null
  /** When the snapshot came. */
  #adoptedAtMs = Number.NEGATIVE_INFINITY
  /** What the snapshot's age is reckoned from: when it came, or earlier to have it refreshed soon. */
  #receivedAtMs = Number.NEGATIVE_INFINITY
  #askedAtMs = Number.NEGATIVE_INFINITY
  #didLastSyncFail = false
  /** Requests have asked for turns that are leased; under most policies none do. */
  #takesTurns = false

  constructor(options: MirrorOptions) {
    this.#options = options
    this.#holder = options.randomId()
    this.#workers = new Map(options.workers.map((worker) => [worker.id, worker]))
    this.#leases = createLeaseBook(options.now)
    // A random start, so that isolates that have no block yet don't all begin at the same worker.
    this.#desk = createTicketDesk(() => Math.floor(options.random() * 1_000_000))
    this.#failures = new FailureWatch(options.now)
    this.#roster = toRoster(options.workers, null)
  }

  /**
   * Makes sure that the copy is young enough to decide on. Returns null when it is (the usual case: no call was made),
   * else a promise of it. Never rejects: an unreachable store leaves the older copy in place, and views say `stale`.
   * `ticketKey` is what the request will want a turn of, leased along when a call is made anyway.
   */
  ensureFresh(waitUntil: (task: Promise<unknown>) => void, ticketKey: string | null): Promise<void> | null {
    const nowMs = this.#options.now()
    const ageMs = nowMs - this.#receivedAtMs
    if (ageMs <= REFRESH_AFTER_MS) return null
    const hasAskedLately = nowMs - this.#askedAtMs <= REFRESH_AFTER_MS
    // A store that fails is asked once a second, not by each request; one that is slow is waited for only when the copy
    // is too old, and each request makes its own call, as on workerd no request may wait for another's promise.
    const canGoOn = ageMs <= TOO_OLD_MS || (this.#didLastSyncFail && this.#snapshot !== null)
    if (hasAskedLately && canGoOn) return null
    this.#takesTurns ||= ticketKey !== null && this.#options.store.ticketNow === null
    const refreshed = this.#refresh(ticketKey)
    if (ageMs > TOO_OLD_MS) return refreshed
    waitUntil(refreshed)
    return null
  }

  view(): MirrorView {
    const snapshot = this.#snapshot
    const candidates = this.#roster.candidates.map((candidate) => ({
      ...candidate,
      availability: this.#availabilityOf(candidate.workerId),
      inFlightHere: this.#leases.count(candidate.id),
      inFlightElsewhere: snapshot?.inFlightElsewhere.get(candidate.id) ?? 0,
    }))
    if (snapshot === null) return { source: 'none', ageMs: 0, candidates }
    return {
      source: this.#didLastSyncFail ? 'stale' : this.#options.store.source,
      ageMs: Math.max(0, this.#options.now() - snapshot.takenAtMs),
      candidates,
    }
  }

  acquire(candidateId: string): Lease {
    return this.#leases.acquire(candidateId)
  }

  /** The next turn of a key, from this process or from a leased block. */
  ticket(key: string): number {
    return this.#options.store.ticketNow?.(key) ?? this.#desk.next(key)
  }

  /** The next turn of a key from the one count of the whole fleet. */
  strictTicket(key: string): Promise<number> {
    return this.#options.store.takeTicket(key)
  }

  /** A request failed before its answer began; others are told with the next report. */
  noteFailure(workerId: string, phase: 'not_sent' | 'maybe_sent'): void {
    if (!this.#failures.noteFailure(workerId, phase)) return
    // Tell the others soon: the next request that looks finds the copy due for a refresh.
    this.#receivedAtMs = Math.min(this.#receivedAtMs, this.#options.now() - REFRESH_AFTER_MS)
  }

  /** The worker asked to be left alone for a while; others get its work unless there are none. */
  noteBusy(workerId: string, waitMs: number): void {
    this.#failures.noteBusy(workerId, waitMs)
  }

  noteAnswer(workerId: string): void {
    this.#failures.noteAnswer(workerId)
  }

  worker(workerId: string): WorkerConfig | null {
    return this.#workers.get(workerId) ?? null
  }

  /** Ids of a worker's candidates: itself, or its ranks. */
  candidatesOf(workerId: string): readonly string[] {
    return this.#roster.candidates.filter((candidate) => candidate.workerId === workerId).map(({ id }) => id)
  }

  /** Ids of every model some worker serves, whether or not it is up. */
  models(): ReadonlySet<string> {
    return this.#roster.models
  }

  /** Models of one worker; null when it has never said and none is configured. */
  modelsOf(workerId: string): ReadonlySet<string> | null {
    return this.#roster.modelsByWorker.get(workerId) ?? null
  }

  /** Whether a worker known to serve the model is neither suspect nor down; `workerId` narrows it to one worker. */
  hasAvailable(model: string, workerId: string | null = null): boolean {
    for (const [id, models] of this.#roster.modelsByWorker) {
      if (workerId !== null && id !== workerId) continue
      if (models.has(model) && isUsable(this.#availabilityOf(id))) return true
    }
    return false
  }

  /** True while some worker's models are not known: it has not answered yet, and none are configured. */
  hasSilentWorkers(): boolean {
    return this.#roster.modelsByWorker.size < this.#workers.size
  }

  /** Requests that have a worker at the moment. */
  inFlight(): number {
    return this.#leases.total()
  }

  #availabilityOf(workerId: string): CandidateView['availability'] {
    const state = this.#roster.states.get(workerId)
    const known = state?.availability ?? 'unknown'
    if (known === 'down') return known
    return this.#failures.isSuspect(workerId, state) || this.#failures.isBusy(workerId) ? 'suspect' : known
  }

  async #refresh(ticketKey: string | null): Promise<void> {
    const { store, now } = this.#options
    const askedAtMs = now()
    this.#askedAtMs = askedAtMs
    const unreachable = this.#failures.takeReports()
    try {
      const fresh = await store.sync({
        holder: this.#holder,
        inFlight: this.#leases.report(),
        unreachable,
        ticketsWanted: this.#desk.wanted(this.#takesTurns ? ticketKey : null),
      })
      this.#adopt(fresh, askedAtMs)
    } catch (cause) {
      // Routing goes on with the older copy; `view().source` says so in every record until a sync succeeds.
      this.#didLastSyncFail = true
      this.#failures.putBack(unreachable)
      this.#options.onSyncFailed(cause)
    }
  }

  #adopt(fresh: FleetSnapshot, askedAtMs: number): void {
    this.#desk.accept(fresh.tickets)
    this.#didLastSyncFail = false
    // Two refreshes may be under way at once; the older answer must not overwrite the newer. One that was asked for
    // after the newer had come is no such case: the object has moved to a machine whose clock is behind.
    const wasUnderWay = askedAtMs <= this.#adoptedAtMs
    if (this.#snapshot !== null && wasUnderWay && fresh.takenAtMs < this.#snapshot.takenAtMs) return
    this.#snapshot = fresh
    this.#adoptedAtMs = this.#options.now()
    this.#receivedAtMs = this.#adoptedAtMs
    this.#roster = toRoster(this.#options.workers, fresh)
    // Lease turns for every model ahead of its first request, so that no request starts a run of its own.
    if (this.#takesTurns) for (const model of this.#roster.models) this.#desk.expect(model)
  }
}

function isUsable(availability: CandidateView['availability']): boolean {
  return availability === 'up' || availability === 'unknown'
}
