// FleetStore for one process: the truth is this memory, and a timer keeps asking the workers what they serve.

import { FleetState } from './fleet-state.ts'
import type { FleetStore, WorkerObservation } from './fleet-store.ts'
import { createResponseOwners } from './response-owners.ts'

/** How soon a worker that a request could not reach is asked again. */
const RECHECK_MS = 200

export interface MemoryFleetOptions {
  now(): number
  after(delayMs: number, task: () => void): () => void
  /** Asks every worker once. Never rejects: a worker that fails is an observation. */
  probe(): Promise<readonly WorkerObservation[]>
  /** Milliseconds to the next round, given what the last one learned. */
  nextProbeMs(observations: readonly WorkerObservation[]): number
}

export interface MemoryFleetStore extends FleetStore {
  /** Stops probing. */
  close(): void
}

/** Starts probing at once; the first `sync` waits for the first round, so that models are known from the start. */
export function createMemoryFleetStore(options: MemoryFleetOptions): MemoryFleetStore {
  const state = new FleetState({ issuesTickets: true })
  const owners = createResponseOwners()
  let callOff: () => void = () => {}
  let dueAtMs = Number.POSITIVE_INFINITY
  let isClosed = false
  let isProbing = false
  let isProbed = false
  /** A request found a worker gone since the round under way began, so that round may have asked it before. */
  let isDoubted = false

  /** A round that is due sooner stays: reports that keep coming must not put it off. */
  function schedule(delayMs: number): void {
    const atMs = options.now() + delayMs
    if (isClosed || atMs >= dueAtMs) return
    callOff()
    dueAtMs = atMs
    callOff = options.after(delayMs, () => void round())
  }
  async function round(): Promise<void> {
    dueAtMs = Number.POSITIVE_INFINITY
    isDoubted = false
    isProbing = true
    const observations = await options.probe()
    isProbing = false
    state.observe(observations)
    isProbed = true
    schedule(isDoubted ? RECHECK_MS : options.nextProbeMs(observations))
  }
  function recheck(): void {
    isDoubted = true
    if (!isProbing) schedule(RECHECK_MS)
  }
  const firstRound = round()

  return {
    source: 'memory',
    async sync(report) {
      if (!isProbed) await firstRound
      // A request found a worker gone: ask it again soon, it may have been one broken connection.
      if (report.unreachable.length > 0) recheck()
      state.note(report, options.now())
      return state.snapshotFor(report, options.now())
    },
    ticketNow: (key) => state.takeTicket(key),
    takeTicket: async (key) => state.takeTicket(key),
    rememberResponse: async (responseId, owner, expiresAtMs) => owners.remember(responseId, owner, expiresAtMs),
    findResponse: async (responseId) => owners.find(responseId, options.now()),
    forgetResponse: async (responseId) => owners.forget(responseId),
    close() {
      isClosed = true
      callOff()
    },
  }
}
