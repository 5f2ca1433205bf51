// A worker as the admin routes show it.

import type { WorkerConfig } from '../../config/config.ts'
import type { AdminParts } from '../../control/admin-parts.ts'
import type { WorkerStatus } from '../../store/worker-status.ts'
import { chunksByWorker } from './lmcache-shape.ts'

/** Every worker in the order of the configuration. */
export function toWorkers(admin: AdminParts) {
  const parts = admin.parts()
  const { config, mirror } = parts
  const lmcacheOf = chunksByWorker(parts)
  const statuses = new Map(mirror.workers().map((status) => [status.id, status]))
  return config.workers.flatMap((worker) => {
    const status = statuses.get(worker.id)
    if (status === undefined) return []
    const shown = toWorker(worker, status)
    return [lmcacheOf === null ? shown : { ...shown, lmcache: lmcacheOf(worker.id) }]
  })
}

export type ShownWorker = ReturnType<typeof toWorker>

function toWorker(worker: WorkerConfig, status: WorkerStatus) {
  const { drain, breaker, load } = status
  return {
    id: worker.id,
    url: worker.url,
    models: status.models,
    weight: worker.weight,
    labels: worker.labels,
    data_parallel_size: worker.dataParallelSize,
    binding: worker.binding,
    has_api_key: worker.apiKey !== null,
    is_healthy: status.availability === 'up' || status.availability === 'unknown',
    availability: status.availability,
    reason: status.reason,
    since: toTime(status.sinceMs),
    checked_at: toTime(status.checkedAtMs),
    draining: drain !== null,
    drain: drain === null ? null : toDrain(drain),
    load: status.inFlightHere + status.inFlightElsewhere,
    in_flight_here: status.inFlightHere,
    in_flight_elsewhere: status.inFlightElsewhere,
    share: status.share,
    busy_until: toTime(status.busyUntilMs),
    engine:
      load === null
        ? null
        : { running: load.running, waiting: load.waiting, kv_usage: load.kvUsage, age_ms: Math.round(load.ageMs) },
    breaker: { state: breaker.state, retry_at: toTime(breaker.retryAtMs), error_rate: breaker.errorRate },
  }
}

export function toDrain({ state, sinceMs, deadlineMs, inFlight, leftRunning }: NonNullable<WorkerStatus['drain']>) {
  return {
    state,
    since: toTime(sinceMs),
    deadline: toTime(deadlineMs),
    in_flight: inFlight,
    left_running: leftRunning,
  }
}

function toTime(atMs: number | null): string | null {
  return atMs === null || !Number.isFinite(atMs) ? null : new Date(atMs).toISOString()
}
