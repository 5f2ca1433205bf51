// Whether what probes found out leaves some model without a worker.

import { isUsable } from '../routing/availability.ts'
import type { WorkerState } from './fleet-store.ts'

/** Whether every worker of some model is out, one of them for what probes said. What a worker serves may be unknown. */
export function hasUnservedModel(workers: readonly WorkerState[]): boolean {
  const served = new Set(workers.flatMap(({ availability, models }) => (isUsable(availability) ? (models ?? []) : [])))
  return workers.some(({ availability, models }) => {
    if (!isOutByProbes(availability)) return false
    return models === null || models.some((model) => !served.has(model))
  })
}

function isOutByProbes(availability: WorkerState['availability']): boolean {
  return availability === 'down' || availability === 'ejected' || availability === 'asleep'
}
