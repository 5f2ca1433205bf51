// Who serves what: configuration and snapshot joined, worked out once a snapshot and not once a request.

import type { WorkerConfig } from '../config/config.ts'
import type { CandidateView } from '../routing/policy.ts'
import type { FleetSnapshot, WorkerState } from './fleet-store.ts'

export interface FleetRoster {
  /** One entry per worker or data-parallel rank: what of a candidate changes only with a snapshot. */
  readonly candidates: readonly Omit<CandidateView, 'availability' | 'inFlightHere' | 'inFlightElsewhere'>[]
  readonly states: ReadonlyMap<string, WorkerState>
  /** Models by worker, for workers that have any configured or have said what they serve. */
  readonly modelsByWorker: ReadonlyMap<string, ReadonlySet<string>>
  /** Every model some worker serves. */
  readonly models: ReadonlySet<string>
}

/** Configured models win over what a worker says of itself. */
export function toRoster(workers: readonly WorkerConfig[], snapshot: FleetSnapshot | null): FleetRoster {
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
