// What a probe learned of a worker, as tests write it: a worker that answers, and what differs.

import type { WorkerObservation } from '../../src/store/fleet-store.ts'

export function observationOf(workerId: string, given: Partial<WorkerObservation> = {}): WorkerObservation {
  return { workerId, atMs: 0, health: 'ok', status: 200, models: null, isAsleep: null, load: null, ...given }
}
