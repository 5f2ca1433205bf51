// The contract for what processes or isolates must agree on: who serves what, who is reachable, how much is in flight,
// whose turn it is, and which worker holds a stored response. Implementations: memory.ts, durable-object.ts,
// redis-fleet.ts.

import type { Availability } from '../routing/policy.ts'
import type { ConfigPointer } from './config-store.ts'
import type { LmcacheOccupancy } from './lmcache-occupancy.ts'
import type { PurgeNews, PurgeScope } from './purge-log.ts'

/** What a probe learned about a worker. */
export interface WorkerObservation {
  readonly workerId: string
  readonly atMs: number
  /** How the health endpoint answered: `unreachable` no connection, `timeout` no whole answer in time, `bad_status` another status. */
  readonly health: 'ok' | 'unreachable' | 'timeout' | 'bad_status'
  readonly status: number | null
  /** Model ids; null when they could not be read, which keeps what was known. */
  readonly models: readonly string[] | null
  /** From `/is_sleeping`; null where it is not served. */
  readonly isAsleep: boolean | null
  /** From `/metrics`; null where it could not be read. */
  readonly load: WorkerLoad | null
}

/** How busy a worker says it is, whoever sent the work. */
export interface WorkerLoad {
  readonly running: number
  readonly waiting: number
  /** Part of its KV cache in use, 0 to 1; null when not served. */
  readonly kvUsage: number | null
  /** Prompt plus generation tokens ever, to see progress; null when not served. */
  readonly tokensTotal: number | null
  readonly atMs: number
}

/** The same with what of it this fleet's routers knew to be theirs when it was read. */
export interface KnownLoad extends WorkerLoad {
  readonly ours: number
}

/**
 * What one holder of leases (a process or an isolate) reports. Everything in it is absolute, or numbered, or a latest
 * time, so a repeated report does no harm.
 */
export interface HolderReport {
  /** Random name of the process or isolate. */
  readonly holder: string
  /** Requests in flight by candidate id; candidates with none are left out. */
  readonly inFlight: ReadonlyMap<string, number>
  /** Milliseconds since a worker last delivered a byte, for those that did lately. */
  readonly quietMs: ReadonlyMap<string, number>
  /** Milliseconds since all those below had reported of a candidate; none for a holder that speaks for itself. */
  readonly unheardMs: ReadonlyMap<string, number>
  /** Workers that could not be reached by a request, with the time it happened. */
  readonly unreachable: readonly { readonly workerId: string; readonly atMs: number }[]
  /** How attempts ended since the last report; null when none did. */
  readonly outcomes: OutcomeBatch | null
  /** The permits it holds. */
  readonly permits: readonly HeldPermit[]
  /** Whether it has requests that could use a permit. */
  readonly wantsPermits: boolean
  /** Turns wanted by key (a model id): how many the holder would like to lease. */
  readonly ticketsWanted: ReadonlyMap<string, number>
  /** Whether the answer must not come from a copy made before this report. */
  readonly isUrgent: boolean
}

/** How attempts ended. It may be delivered more than once, and counts once. */
export interface OutcomeBatch {
  /** Random name of the memory it comes from. */
  readonly sender: string
  /** Rises by one a batch of a sender. */
  readonly seq: number
  readonly workers: readonly WorkerOutcomes[]
}

/** How attempts at one worker ended. Only `oks` and `faults` move its breaker. */
export interface WorkerOutcomes {
  readonly workerId: string
  /** The worker's epoch when the attempts began; those of an earlier one say nothing about what it is now. */
  readonly epoch: number
  readonly oks: number
  readonly faults: number
  /** Faults since the last success. */
  readonly faultsInRow: number
  /** Answers that asked for less: 429, or 503 with its wish to be left alone. */
  readonly busies: number
  /** How much longer it wants to be left alone; 0 when it did not say. */
  readonly busyForMs: number
}

/** Why a worker is not simply `up`, in a word for operators. */
export type AvailabilityReason =
  | 'not_asked_yet'
  | 'probe_ok'
  | 'probe_refused'
  | 'probe_timeout'
  | 'probe_status'
  | 'request_failed'
  | 'faults_in_row'
  | 'error_rate'
  | 'no_progress'
  | 'recovering'
  | 'busy'
  | 'sleeping'
  | 'drained'

export type DrainPhase = 'draining' | 'parked'

/** A worker that an operator took out. */
export interface DrainState {
  readonly state: DrainPhase
  readonly sinceMs: number
  /** When it is parked whatever still runs; what runs is not cut. */
  readonly deadlineMs: number
  /** Requests in flight on it, over all holders, as last heard. */
  readonly inFlight: number
  /** Requests that were still running when the deadline passed; null unless it did. */
  readonly leftRunning: number | null
}

export interface BreakerState {
  readonly state: 'closed' | 'open' | 'half_open'
  /** When it lets a request through again; null while it is closed. */
  readonly retryAtMs: number | null
  /** Share of attempts that failed over the window; null with too few to say. */
  readonly errorRate: number | null
}

export interface WorkerState {
  readonly workerId: string
  readonly availability: Availability
  readonly reason: AvailabilityReason
  /** Since when it is what it is; null if it never was anything else. */
  readonly sinceMs: number | null
  /** Model ids it serves; null until it has answered once. */
  readonly models: readonly string[] | null
  /** When it was last asked or heard of; null if never. */
  readonly checkedAtMs: number | null
  readonly load: KnownLoad | null
  /** Part of its usual work it should get, above zero up to 1. */
  readonly share: number
  /** Until when it wants to be left alone; null when it does not. */
  readonly busyUntilMs: number | null
  /** Changes whenever what attempts found out earlier stops to count. */
  readonly epoch: number
  readonly breaker: BreakerState
  readonly drain: DrainState | null
}

/** All there is to say of a worker that nobody has asked or heard of, but for who it is and whether it is used. */
export const NEVER_ASKED: Omit<WorkerState, 'workerId' | 'availability'> = {
  reason: 'not_asked_yet',
  sinceMs: null,
  models: null,
  checkedAtMs: null,
  load: null,
  share: 1,
  busyUntilMs: null,
  epoch: 0,
  breaker: { state: 'closed', retryAtMs: null, errorRate: null },
  drain: null,
}

/** Leave to send one request to a worker whose breaker is half open. */
export interface ProbePermit {
  readonly id: number
  readonly workerId: string
}

export interface HeldPermit extends ProbePermit {
  /** Whether its request is on its way. */
  readonly isInUse: boolean
}

/** A run of turns: `first`, `first + 1`, … up to `count` of them. */
export interface TicketBlock {
  readonly first: number
  readonly count: number
}

export interface FleetSnapshot {
  readonly takenAtMs: number
  /** How old it may have been when it was handed on, by one clock: a copy of a copy adds up its ages. */
  readonly ageMs: number
  readonly workers: readonly WorkerState[]
  /** In flight by candidate id, summed over every other holder whose lease has not expired. */
  readonly inFlightElsewhere: ReadonlyMap<string, number>
  /** Turns leased to the holder that asked, by key. */
  readonly tickets: ReadonlyMap<string, TicketBlock>
  /** Permits granted to the holder that asked. */
  readonly permits: readonly ProbePermit[]
  /** Which configuration is current; absent while none was ever published. */
  readonly config?: ConfigPointer | null
  /** What LMCache's control plane last said of how full caches are; null or absent where it was not asked. */
  readonly lmcache?: LmcacheOccupancy | null
  /** Which cached answers are not to be given again; absent where an older version does not say. */
  readonly purges?: PurgeNews | null
}

/** Who a stored response belongs to. */
export interface ResponseOwner {
  readonly workerId: string
  /** Its party: a tenant, or one of those that are none (`partyOf`). */
  readonly tenant: string | null
}

export interface FleetStore {
  /** Word for `view.source` in records: `memory` or `fleet`. */
  readonly source: string
  /** Reports what this holder has in flight and gets the state of the fleet. Idempotent but for leased turns. */
  sync(report: HolderReport): Promise<FleetSnapshot>
  /** Takes a worker out: no new requests from anybody, until `undrain`. Asked again, it sets the deadline anew. */
  drain(workerId: string, deadlineMs: number): Promise<void>
  /** Puts a worker back. One that was not taken out is left as it is. */
  undrain(workerId: string): Promise<void>
  /** The next turn of a key where the count is in this very process; null where asking for it takes a call. */
  readonly ticketNow: ((key: string) => number) | null
  /** The turn that would come next, left where it is; only where the count is in this very process. */
  readonly peekTicket?: (key: string) => number
  /** One turn from the single count of the whole fleet (`strict: true`). */
  takeTicket(key: string): Promise<number>
  /**
   * Remembers which worker created a stored response, and for whom, until `expiresAtMs`. The last word of a tenant counts;
   * an id that another tenant's response has stays that tenant's, since vLLM lets callers choose ids.
   */
  rememberResponse(responseId: string, owner: ResponseOwner, expiresAtMs: number): Promise<void>
  /** The owner of a stored response; null when unknown or expired. */
  findResponse(responseId: string): Promise<ResponseOwner | null>
  forgetResponse(responseId: string): Promise<void>
  /** Has everybody hear, with the next state of the fleet, that cached answers are not to be given again. */
  announcePurge(scope: PurgeScope): Promise<void>
}
