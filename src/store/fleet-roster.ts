// Who serves what: configuration and snapshot joined, worked out once a snapshot and not once a request.

import type { WorkerConfig } from '../config/config.ts'
import type { Availability, CandidateView, ScrapedLoad } from '../routing/policy.ts'
import type { FleetSnapshot, KnownLoad, WorkerState } from './fleet-store.ts'

/** What of a candidate changes only with a snapshot. */
export interface RosterEntry extends Omit<CandidateView, 'hasPermit' | 'inFlightHere'> {
  readonly checkedAtMs: number | null
  /** Until when its worker wants to be left alone; 0 when it does not. */
  readonly busyUntilMs: number
  readonly epoch: number
}

/** What of a candidate may change between two requests. */
export type CandidateNow = Pick<CandidateView, 'availability' | 'hasPermit' | 'share' | 'inFlightHere'>

export interface FleetRoster {
  /** One entry per worker or data-parallel rank, by candidate id, in the configuration's order. */
  readonly entries: ReadonlyMap<string, RosterEntry>
  readonly states: ReadonlyMap<string, WorkerState>
  /** Models by worker, for workers that have any configured or have said what they serve. */
  readonly modelsByWorker: ReadonlyMap<string, ReadonlySet<string>>
  /** Every model some worker serves. */
  readonly models: ReadonlySet<string>
  /** Until when any of them wants to be left alone; 0 when none does. */
  readonly busyUntilMs: number
}

/** What is taken for true of a worker that the snapshot does not know. */
const UNKNOWN = {
  availability: 'unknown',
  checkedAtMs: null,
  busyUntilMs: 0,
  epoch: 0,
  share: 1,
  scraped: null,
} as const satisfies { readonly availability: Availability; readonly [field: string]: unknown }

/** Ids of a worker's candidates: itself, or its data-parallel ranks. */
export function candidateIdsOf({ id, dataParallelSize }: Pick<WorkerConfig, 'id' | 'dataParallelSize'>): string[] {
  return dataParallelSize === 1 ? [id] : Array.from({ length: dataParallelSize }, (_, rank) => `${id}@${rank}`)
}

/** Configured models win over what a worker says of itself. */
export function toRoster(workers: readonly WorkerConfig[], snapshot: FleetSnapshot | null): FleetRoster {
  const states = new Map(snapshot?.workers.map((state) => [state.workerId, state]))
  const modelsByWorker = new Map<string, ReadonlySet<string>>()
  // One set for all who serve the same, which a decision then looks into once.
  const sets = new Map<string, ReadonlySet<string>>()
  for (const worker of workers) {
    const served = worker.models ?? states.get(worker.id)?.models ?? null
    if (served === null) continue
    const key = JSON.stringify(served)
    const models = sets.get(key) ?? new Set(served)
    sets.set(key, models)
    modelsByWorker.set(worker.id, models)
  }
  const models = new Set([...sets.values()].flatMap((served) => [...served]))
  const entries = workers.flatMap((worker) => {
    const shared = {
      workerId: worker.id,
      weight: worker.weight,
      labels: worker.labels,
      models: modelsByWorker.get(worker.id) ?? null,
      ...known(states.get(worker.id), snapshot?.takenAtMs ?? 0),
    }
    return candidateIdsOf(worker).map((id, at): [string, RosterEntry] => {
      const rank = worker.dataParallelSize === 1 ? null : at
      return [id, { id, rank, ...shared, inFlightElsewhere: snapshot?.inFlightElsewhere.get(id) ?? 0 }]
    })
  })
  const busyUntilMs = Math.max(0, ...entries.map(([, entry]) => entry.busyUntilMs))
  return { entries: new Map(entries), states, modelsByWorker, models, busyUntilMs }
}

/** Field by field: this runs for each candidate of a decision. */
export function toCandidate(entry: RosterEntry, now: CandidateNow): CandidateView {
  return {
    id: entry.id,
    workerId: entry.workerId,
    rank: entry.rank,
    weight: entry.weight,
    labels: entry.labels,
    models: entry.models,
    availability: now.availability,
    hasPermit: now.hasPermit,
    share: now.share,
    inFlightHere: now.inFlightHere,
    inFlightElsewhere: entry.inFlightElsewhere,
    scraped: entry.scraped,
  }
}

function known(state: WorkerState | undefined, takenAtMs: number) {
  if (state === undefined) return UNKNOWN
  const { availability, checkedAtMs, busyUntilMs, epoch, share, load } = state
  const scraped = load === null ? null : toScraped(load, takenAtMs)
  return { availability, checkedAtMs, busyUntilMs: busyUntilMs ?? 0, epoch, share, scraped }
}

/** Its age is reckoned to when the snapshot was taken, as that of `inFlightElsewhere` is, so that both age alike. */
function toScraped({ running, waiting, kvUsage, ours, atMs }: KnownLoad, takenAtMs: number): ScrapedLoad {
  return { running, waiting, kvUsage, ours, ageMs: Math.max(0, takenAtMs - atMs) }
}
