// The fleet as one configuration sees it: its workers joined with the copy of the fleet's state. Requests decide on it
// without asking anybody. Cheap to make anew: what outlives a configuration is in fleet-link.ts.

import type { BreakerConfig, HealthConfig, WorkerConfig } from '../config/config.ts'
import { isUsable } from '../routing/availability.ts'
import type { Availability, CandidateView, Policy } from '../routing/policy.ts'
import type { Lease } from './fleet-lease.ts'
import type { FleetLink } from './fleet-link.ts'
import { candidateIdsOf, type FleetRoster, type RosterEntry, toCandidate, toRoster } from './fleet-roster.ts'
import { IdleCandidates } from './idle-candidates.ts'
import type { FleetSnapshot } from './fleet-store.ts'
import { type LmcacheOccupancyView, OccupancyViews } from './lmcache-occupancy.ts'
import { toWorkerStatus, type WorkerStatus } from './worker-status.ts'

/** What of a configuration the fleet depends on. */
export interface MirrorSettings {
  readonly workers: readonly WorkerConfig[]
  readonly health: HealthConfig
  readonly breaker: BreakerConfig | null
  /** What it wants of LMCache says how often that is asked. */
  readonly policy?: Pick<Policy, 'needs'>
}

/** The fleet as one request sees it; fits `FleetView` of the routing. */
export interface MirrorView {
  /** The store's word, `stale` when it could not be asked last time, `none` when it never answered. */
  readonly source: string
  readonly ageMs: number
  readonly candidates: readonly CandidateView[]
}

export class FleetMirror {
  readonly #link: FleetLink
  readonly #settings: MirrorSettings
  readonly #workers: ReadonlyMap<string, WorkerConfig>
  readonly #occupancy = new OccupancyViews()
  #joined: FleetRoster
  /** The candidates of that roster; null until a request asks for them. */
  #idle: IdleCandidates | null = null
  /** The snapshot the roster was joined from. */
  #joinedFrom: FleetSnapshot | null = null

  constructor(link: FleetLink, settings: MirrorSettings) {
    this.#link = link
    this.#settings = settings
    this.#workers = new Map(settings.workers.map((worker) => [worker.id, worker]))
    this.#joined = toRoster(settings.workers, null)
  }

  /**
   * Makes sure that the copy is young enough to decide on. Returns null when it is (the usual case: no call was made),
   * else a promise of it. Never rejects: an unreachable store leaves the older copy in place, and views say `stale`.
   * `ticketKey` is what the request will want a turn of, leased along when a call is made anyway.
   */
  ensureFresh(waitUntil: (task: Promise<unknown>) => void, ticketKey: string | null): Promise<void> | null {
    this.#roster()
    return this.#link.ensureFresh(waitUntil, ticketKey)
  }

  /** Asks the store now, past every copy in between; for operators, who look at what they have just changed. */
  refreshNow(): Promise<void> {
    return this.#link.refresh({ isUrgent: true })
  }

  /** Whether requests go there as things are: a candidate of the fleet that is not out of use. */
  takes(candidateId: string): boolean {
    const entry = this.#roster().entries.get(candidateId)
    return entry !== undefined && isUsable(this.#availabilityOf(entry.workerId))
  }

  view(): MirrorView {
    const snapshot = this.#link.snapshot()
    const nowMs = this.#link.now()
    const candidates = this.#candidates(this.#roster(), nowMs)
    const ageMs = snapshot === null ? 0 : Math.max(0, nowMs - snapshot.takenAtMs)
    return { source: this.#link.source(), ageMs, candidates }
  }

  #candidates(roster: FleetRoster, nowMs: number): readonly CandidateView[] {
    const { leases, permits, evidence } = this.#link
    const isCalm = evidence.isEmpty() && permits.isEmpty() && roster.busyUntilMs <= nowMs
    if (!isCalm) return Array.from(roster.entries.values(), (entry) => this.#toCandidate(entry, nowMs))
    // All but those with requests of ours are what they were when the roster was joined: one object for every request.
    this.#idle ??= new IdleCandidates(roster)
    return this.#idle.with(leases.busy())
  }

  /** A request was decided to go to a worker on a permit, so no other may be. */
  reservePermit(workerId: string): void {
    this.#link.permits.reserve(workerId)
  }

  /** Begins an attempt; `beside` keeps the runtime alive for what is to be told of it. */
  acquire(candidateId: string, beside: (task: Promise<unknown>) => void): Lease {
    const entry = this.#roster().entries.get(candidateId)
    const attempt = {
      workerId: entry?.workerId ?? candidateId,
      epoch: entry?.epoch ?? 0,
      breaker: this.#settings.breaker,
    }
    const needsPermit = entry?.availability === 'half_open' || entry?.availability === 'ejected'
    return this.#link.acquire({ candidateId, attempt, needsPermit, beside })
  }

  /** The next turn of a key, from this process or from a leased block. */
  ticket(key: string): number {
    return this.#link.store.ticketNow?.(key) ?? this.#link.desk.next(key)
  }

  /** The turn that would come next, which stays whose it is; null where nobody here knows. */
  peekTicket(key: string): number | null {
    const { store, desk } = this.#link
    if (store.peekTicket !== undefined) return store.peekTicket(key)
    return store.ticketNow === null ? desk.peek(key) : null
  }

  /** The same of the one count of the whole fleet. */
  peekStrictTicket(key: string): number | null {
    return this.#link.store.peekTicket?.(key) ?? null
  }

  /** The next turn of a key from the one count of the whole fleet. */
  strictTicket(key: string): Promise<number> {
    return this.#link.store.takeTicket(key)
  }

  worker(workerId: string): WorkerConfig | null {
    return this.#workers.get(workerId) ?? null
  }

  /** What LMCache's control plane said of how full caches are; null where it is not asked, or has not been yet. */
  lmcache(): LmcacheOccupancyView | null {
    const wanted = this.#settings.policy?.needs.lmcache
    const occupancy = this.#link.snapshot()?.lmcache ?? null
    if (wanted === undefined || occupancy === null) return null
    return this.#occupancy.of(occupancy, this.#link.snapshotAgeMs(), wanted.pollIntervalMs)
  }

  /** Every worker of the configuration as operators see it, in its order. */
  workers(): readonly WorkerStatus[] {
    const roster = this.#roster()
    const nowMs = this.#link.now()
    return this.#settings.workers.map((worker) =>
      toWorkerStatus(worker, {
        roster,
        nowMs,
        availability: this.#availabilityOf(worker.id),
        ownShare: this.#link.evidence.share(worker.id),
        ownBusyUntilMs: this.#link.evidence.busyUntilMs(worker.id),
        inFlightHere: (candidateId) => this.#link.leases.count(candidateId),
      }),
    )
  }

  /** Ids of a worker's candidates: itself, or its ranks. */
  candidatesOf(workerId: string): readonly string[] {
    const worker = this.#workers.get(workerId)
    return worker === undefined ? [] : candidateIdsOf(worker)
  }

  /** Ids of every model some worker serves, whether or not it is up. */
  models(): ReadonlySet<string> {
    return this.#roster().models
  }

  /** Models of one worker; null when it has never said and none is configured. */
  modelsOf(workerId: string): ReadonlySet<string> | null {
    return this.#roster().modelsByWorker.get(workerId) ?? null
  }

  /**
   * Whether a worker known to serve the model takes usual work; `workerId` narrows it to one worker. What panic would use
   * besides is left out.
   */
  hasAvailable(model: string, workerId: string | null = null): boolean {
    for (const [id, models] of this.#roster().modelsByWorker) {
      if (workerId !== null && id !== workerId) continue
      if (models.has(model) && isUsable(this.#availabilityOf(id))) return true
    }
    return false
  }

  /** True while some worker's models are not known: it has not answered yet, and none are configured. */
  hasSilentWorkers(): boolean {
    return this.#roster().modelsByWorker.size < this.#workers.size
  }

  /** Requests that have a worker at the moment. */
  inFlight(): number {
    return this.#link.leases.total()
  }

  #availabilityOf(workerId: string): Availability {
    const state = this.#roster().states.get(workerId)
    const busyUntilMs = state?.busyUntilMs ?? 0
    const { availability, checkedAtMs } = state ?? { availability: 'unknown', checkedAtMs: null }
    return this.#overlaid({ workerId, availability, checkedAtMs, busyUntilMs }, this.#link.now())
  }

  /** What the fleet says of a worker, with what our own requests found out since. */
  #overlaid(known: Overlaid, nowMs: number): Availability {
    const { evidence } = this.#link
    const availability = evidence.isEmpty() ? known.availability : evidence.word(known.workerId, known)
    return isUsable(availability) && known.busyUntilMs > nowMs ? 'suspect' : availability
  }

  #toCandidate(entry: RosterEntry, nowMs: number): CandidateView {
    const { leases, permits, evidence } = this.#link
    const availability = this.#overlaid(entry, nowMs)
    const isTried = availability === 'half_open' || availability === 'ejected'
    return toCandidate(entry, {
      availability,
      hasPermit: isTried && permits.has(entry.workerId),
      share: evidence.isEmpty() ? entry.share : Math.min(entry.share, evidence.share(entry.workerId)),
      inFlightHere: leases.count(entry.id),
    })
  }

  /** Joined anew once a snapshot, by whoever looks first. */
  #roster(): FleetRoster {
    const snapshot = this.#link.snapshot()
    if (snapshot === this.#joinedFrom) return this.#joined
    this.#joinedFrom = snapshot
    this.#idle = null
    this.#joined = toRoster(this.#settings.workers, snapshot)
    // Lease turns for every model ahead of its first request, so that no request starts a run of its own.
    if (this.#link.takesTurns()) for (const model of this.#joined.models) this.#link.desk.expect(model)
    return this.#joined
  }
}

type Overlaid = Pick<RosterEntry, 'workerId' | 'availability' | 'checkedAtMs' | 'busyUntilMs'>
