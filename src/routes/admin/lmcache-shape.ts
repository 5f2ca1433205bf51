// What is known of LMCache, as the admin routes show it: how full caches are, how old that is, and whether the control plane
// can be believed.

import type { LmcacheDesk } from '../../pipeline/lmcache-desk.ts'
import { keysOf, likelyCausesOf, type LmcacheSight } from '../../pipeline/lmcache-sight.ts'
import type { RouterParts } from '../../pipeline/router-parts.ts'
import type { LmcacheOccupancyView } from '../../store/lmcache-occupancy.ts'
import { byWorker } from '../../upstream/lmcache/instances.ts'

type LmcacheParts = Pick<RouterParts, 'mirror' | 'lmcache'>

/** Null where the policy wants nothing of LMCache. */
export function toLmcache({ mirror, lmcache: desk }: LmcacheParts) {
  if (desk === null) return null
  return {
    controller_type: desk.needs.controllerType,
    occupancy: toOccupancy(mirror.lmcache()),
    sight: desk.lookups === null ? null : toSight(desk.lookups.sight),
  }
}

function toOccupancy(view: LmcacheOccupancyView | null) {
  return {
    state: view?.state ?? 'unknown',
    age_ms: toAge(view),
    last_poll: view?.lastPoll ?? null,
    instances: view?.instances.length ?? 0,
    chunks: keysOf(view),
  }
}

function toSight({ judge }: LmcacheSight) {
  const sight = judge.sight()
  return {
    state: sight.state,
    because: sight.because,
    since: sight.sinceMs === null ? null : new Date(sight.sinceMs).toISOString(),
    unknown_in_row: sight.missesInRow,
    broken_promises_in_row: sight.brokenInRow,
    likely_causes: likelyCausesOf(sight),
  }
}

/** Chunks of a worker's instances by worker id, with their age; null where the policy wants nothing of LMCache. */
export function chunksByWorker({ mirror, lmcache: desk }: LmcacheParts) {
  if (desk === null) return null
  const view = mirror.lmcache()
  const chunks = countsOf(view, desk)
  const ageMs = toAge(view)
  return (workerId: string) => ({ chunks: chunks[workerId] ?? null, age_ms: ageMs })
}

function countsOf(view: LmcacheOccupancyView | null, desk: LmcacheDesk): Readonly<Record<string, number>> {
  const instances = view?.instances ?? []
  const counts = instances.flatMap(({ instanceId, chunks }) => (chunks === null ? [] : [[instanceId, chunks] as const]))
  return byWorker(counts, desk.joinFor(instances), (one, other) => one + other)
}

function toAge(view: LmcacheOccupancyView | null): number | null {
  return view?.ageMs === undefined || view.ageMs === null ? null : Math.round(view.ageMs)
}
