// This process's or isolate's copy of the fleet: the last snapshot, its own leases on top, and leased turns. Requests
// decide on it without asking anybody; it refreshes itself beside them.

import type { WorkerConfig } from '../config/config.ts'
import type { CandidateView } from '../routing/policy.ts'
import type { FleetSnapshot, FleetStore, WorkerState } from './fleet-store.ts'
import { createLeaseBook, type Lease } from './lease-book.ts'
import { createTicketDesk } from './ticket-desk.ts'

/** A snapshot older than this is refreshed beside the request that noticed. */
const REFRESH_AFTER_MS = 1_000

/** A snapshot older than this is refreshed before deciding. */
const TOO_OLD_MS = 2_000

/** Failures in a row, of requests that may have reached the worker, after which it is taken for gone. */
const FAILURES_UNTIL_DOWN = 2

export interface MirrorOptions {
  readonly store: FleetStore
  readonly workers: readonly WorkerConfig[]
  now(): number
  random(): number
  randomId(): string
  /** The store could not be asked; routing goes on with the older copy. */
  onSyncFailed(cause: unknown): void
}

/** The fleet as one request sees it. Fits `FleetView` of the routing, with what the pipeline asks beyond it. */
export interface MirrorView {
  readonly source: string
  readonly ageMs: number
  readonly candidates: readonly CandidateView[]
}

export interface FleetMirror {
  /**
   * Makes sure that the copy is young enough to decide on. Returns null when it is (the usual case: no call was made),
   * else a promise of it. Never rejects: an unreachable store leaves the older copy in place, and views say `stale`.
   * `ticketKey` is what the request will want a turn of, leased along when a call is made anyway.
   */
  ensureFresh(waitUntil: (task: Promise<unknown>) => void, ticketKey: string | null): Promise<void> | null
  view(): MirrorView
  acquire(candidateId: string): Lease
  ticket(key: string): number
  strictTicket(key: string): Promise<number>
  /**
   * A request failed before its answer began. One that surely never left is proof that the worker is gone; one that may
   * have been sent could be a single broken connection. Others are told with the next report.
   */
  noteFailure(workerId: string, phase: 'not_sent' | 'maybe_sent'): void
  noteAnswer(workerId: string): void
  worker(workerId: string): WorkerConfig | null
  /** Ids of every model some worker serves, whether or not it is up. */
  models(): ReadonlySet<string>
  /** True while some worker's models are not known: it has not answered yet, and none are configured. */
  hasSilentWorkers(): boolean
  /** Models of one worker; null when it has never said and none is configured. */
  modelsOf(workerId: string): ReadonlySet<string> | null
  inFlight(): number
}

export function createFleetMirror(options: MirrorOptions): FleetMirror {
  const { store, workers, now } = options
  const holder = options.randomId()
  const byId = new Map(workers.map((worker) => [worker.id, worker]))
  const leases = createLeaseBook(now)
  const desk = createTicketDesk(() => Math.floor(options.random() * 1_000_000))
  const unreachableAtMs = new Map<string, number>()
  const failuresInRow = new Map<string, number>()
  let unreported: { workerId: string; atMs: number }[] = []
  let snapshot: FleetSnapshot | null = null
  let receivedAtMs = Number.NEGATIVE_INFINITY
  let askedAtMs = Number.NEGATIVE_INFINITY
  let didLastSyncFail = false
  let parts = staticParts(workers, null)

  async function refresh(): Promise<void> {
    askedAtMs = now()
    const unreachable = unreported
    unreported = []
    try {
      const fresh = await store.sync({
        holder,
        inFlight: leases.report(),
        unreachable,
        ticketsWanted: desk.wanted(),
      })
      // Two refreshes may be under way at once; the older answer must not overwrite the newer.
      if (snapshot !== null && fresh.takenAtMs < snapshot.takenAtMs) return
      snapshot = fresh
      receivedAtMs = now()
      didLastSyncFail = false
      desk.accept(fresh.tickets)
      parts = staticParts(workers, fresh)
      // Lease turns for every model ahead of its first request, so that no request starts a run of its own.
      if (store.ticketNow === null) for (const model of parts.models) desk.expect(model)
    } catch (cause) {
      // Routing goes on with the older copy; `view().source` says so in every record until a sync succeeds.
      didLastSyncFail = true
      options.onSyncFailed(cause)
      unreported = [...unreachable, ...unreported]
    }
  }

  function availabilityOf(workerId: string): CandidateView['availability'] {
    const state = parts.states.get(workerId)
    const failedAtMs = unreachableAtMs.get(workerId)
    if (failedAtMs !== undefined) {
      if (state?.checkedAtMs === null || state === undefined || state.checkedAtMs <= failedAtMs) return 'down'
      unreachableAtMs.delete(workerId)
    }
    return state?.availability ?? 'unknown'
  }

  return {
    ensureFresh(waitUntil, ticketKey) {
      const ageMs = now() - receivedAtMs
      if (ageMs <= REFRESH_AFTER_MS) return null
      const hasAskedLately = now() - askedAtMs <= REFRESH_AFTER_MS
      // A store that fails is asked once a second, not by each request; one that is slow is waited for only when the
      // copy is too old, and each request makes its own call, as on workerd no request may wait for another's promise.
      if (hasAskedLately && (ageMs <= TOO_OLD_MS || (didLastSyncFail && snapshot !== null))) return null
      if (ticketKey !== null && store.ticketNow === null) desk.expect(ticketKey)
      const refreshed = refresh()
      if (ageMs > TOO_OLD_MS) return refreshed
      waitUntil(refreshed)
      return null
    },

    view() {
      const elsewhere = snapshot?.inFlightElsewhere
      const candidates = parts.candidates.map((candidate) => ({
        ...candidate,
        availability: availabilityOf(candidate.workerId),
        inFlightHere: leases.count(candidate.id),
        inFlightElsewhere: elsewhere?.get(candidate.id) ?? 0,
      }))
      return {
        source: snapshot === null ? 'none' : didLastSyncFail ? 'stale' : store.source,
        ageMs: snapshot === null ? 0 : Math.max(0, now() - snapshot.takenAtMs),
        candidates,
      }
    },

    acquire: (candidateId) => leases.acquire(candidateId),
    ticket: (key) => store.ticketNow?.(key) ?? desk.next(key),
    strictTicket: (key) => store.takeTicket(key),
    noteFailure(workerId, phase) {
      const failures = (failuresInRow.get(workerId) ?? 0) + 1
      failuresInRow.set(workerId, failures)
      if (phase === 'maybe_sent' && failures < FAILURES_UNTIL_DOWN) return
      unreachableAtMs.set(workerId, now())
      unreported.push({ workerId, atMs: now() })
      // Tell the others soon: the next request that looks finds the copy due for a refresh.
      receivedAtMs = Math.min(receivedAtMs, now() - REFRESH_AFTER_MS)
    },
    noteAnswer: (workerId) => void failuresInRow.delete(workerId),
    worker: (workerId) => byId.get(workerId) ?? null,
    models: () => parts.models,
    hasSilentWorkers: () => parts.modelsByWorker.size < workers.length,
    modelsOf: (workerId) => parts.modelsByWorker.get(workerId) ?? null,
    inFlight: () => leases.total(),
  }
}

/** What of a view changes only with a snapshot, worked out once a snapshot. */
interface StaticParts {
  readonly candidates: readonly Omit<CandidateView, 'availability' | 'inFlightHere' | 'inFlightElsewhere'>[]
  readonly states: ReadonlyMap<string, WorkerState>
  readonly modelsByWorker: ReadonlyMap<string, ReadonlySet<string>>
  readonly models: ReadonlySet<string>
}

function staticParts(workers: readonly WorkerConfig[], snapshot: FleetSnapshot | null): StaticParts {
  const states = new Map(snapshot?.workers.map((state) => [state.workerId, state]))
  const modelsByWorker = new Map<string, ReadonlySet<string>>()
  for (const worker of workers) {
    const models = worker.models ?? states.get(worker.id)?.models ?? null
    if (models !== null) modelsByWorker.set(worker.id, new Set(models))
  }
  const models = new Set([...modelsByWorker.values()].flatMap((served) => [...served]))
  const candidates = workers.flatMap((worker) =>
    Array.from({ length: worker.dataParallelSize }, (_, rank) => ({
      id: worker.dataParallelSize === 1 ? worker.id : `${worker.id}@${rank}`,
      workerId: worker.id,
      rank: worker.dataParallelSize === 1 ? null : rank,
      weight: worker.weight,
      labels: worker.labels,
      models: modelsByWorker.get(worker.id) ?? null,
    })),
  )
  return { candidates, states, modelsByWorker, models }
}
