// Objects and isolates of two versions talk to each other while a deployment rolls out, so what one of them does not send
// yet is filled in here with what it means not to have it.

import { type FleetSnapshot, type HolderReport, NEVER_ASKED, type WorkerState } from './fleet-store.ts'

/** A report of an isolate that may run an older version. */
export type SentReport = Pick<HolderReport, 'holder' | 'inFlight'> & Partial<HolderReport>

/** A snapshot of an object that may run an older version. */
export type SentSnapshot = Pick<FleetSnapshot, 'takenAtMs' | 'inFlightElsewhere'> &
  Partial<Omit<FleetSnapshot, 'workers'>> & { readonly workers: readonly SentWorker[] }

type SentWorker = Pick<WorkerState, 'workerId' | 'availability'> & Partial<WorkerState>

export function completeReport(sent: SentReport): HolderReport {
  return {
    quietMs: new Map(),
    unheardMs: new Map(),
    unreachable: [],
    outcomes: null,
    permits: [],
    wantsPermits: false,
    ticketsWanted: new Map(),
    isUrgent: false,
    ...sent,
  }
}

export function completeSnapshot(sent: SentSnapshot): FleetSnapshot {
  return { ageMs: 0, tickets: new Map(), permits: [], ...sent, workers: sent.workers.map(completeWorker) }
}

function completeWorker(sent: SentWorker): WorkerState {
  // The usual case, for every worker of every snapshot: nothing is missing.
  if (isComplete(sent)) return sent
  return { ...NEVER_ASKED, ...sent }
}

function isComplete(worker: SentWorker): worker is WorkerState {
  return worker.breaker !== undefined && worker.share !== undefined && worker.drain !== undefined
}
