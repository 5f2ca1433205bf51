// The contract for what processes or isolates must agree on: who serves what, who is reachable, how much is in flight,
// whose turn it is, and which worker holds a stored response. Implementations: memory.ts, durable-object.ts.

/** What a probe learned about a worker. */
export interface WorkerObservation {
  readonly workerId: string
  readonly reachable: boolean
  /** Model ids from its `/v1/models`; null when it could not be read, which keeps what was known. */
  readonly models: readonly string[] | null
  readonly atMs: number
}

/** What one holder of leases (a process or an isolate) reports. Counts are absolute, so a repeated report does no harm. */
export interface HolderReport {
  /** Random name of the process or isolate. */
  readonly holder: string
  /** Requests in flight by candidate id; candidates with none are left out. */
  readonly inFlight: ReadonlyMap<string, number>
  /** Workers that could not be reached by a request, with the time it happened. */
  readonly unreachable: readonly { readonly workerId: string; readonly atMs: number }[]
  /** Turns wanted by key (a model id): how many the holder would like to lease. */
  readonly ticketsWanted: ReadonlyMap<string, number>
}

export interface WorkerState {
  readonly workerId: string
  readonly availability: 'unknown' | 'up' | 'suspect' | 'down'
  /** Model ids it serves; null until it has answered once. */
  readonly models: readonly string[] | null
  /** When it was last asked or heard of; null if never. */
  readonly checkedAtMs: number | null
}

/** A run of turns: `first`, `first + 1`, … up to `count` of them. */
export interface TicketBlock {
  readonly first: number
  readonly count: number
}

export interface FleetSnapshot {
  readonly takenAtMs: number
  readonly workers: readonly WorkerState[]
  /** In flight by candidate id, summed over every other holder whose lease has not expired. */
  readonly inFlightElsewhere: ReadonlyMap<string, number>
  /** Turns leased to the holder that asked, by key. */
  readonly tickets: ReadonlyMap<string, TicketBlock>
}

/** Who a stored response belongs to. */
export interface ResponseOwner {
  readonly workerId: string
  readonly tenant: string | null
}

export interface FleetStore {
  /** Word for `view.source` in records: `memory` or `fleet`. */
  readonly source: string
  /** Reports what this holder has in flight and gets the state of the fleet. Idempotent but for leased turns. */
  sync(report: HolderReport): Promise<FleetSnapshot>
  /** The next turn of a key where the count is in this very process; null where asking for it takes a call. */
  readonly ticketNow: ((key: string) => number) | null
  /** One turn from the single count of the whole fleet (`strict: true`). */
  takeTicket(key: string): Promise<number>
  /** Remembers which worker created a stored response, until `expiresAtMs`. */
  rememberResponse(responseId: string, owner: ResponseOwner, expiresAtMs: number): Promise<void>
  /** The owner of a stored response; null when unknown or expired. */
  findResponse(responseId: string): Promise<ResponseOwner | null>
  forgetResponse(responseId: string): Promise<void>
}
