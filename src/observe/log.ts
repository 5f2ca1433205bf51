// One JSON line per request and per defect. A line says what was decided and how it ended, never what was asked.

import type { LogLevel } from '../config/config.ts'
import type { ControlEvents } from '../control/control-events.ts'
import type { PipelineEvents } from '../pipeline/events.ts'

const RANK = { debug: 0, info: 1, warn: 2, error: 3 } as const satisfies Record<LogLevel, number>

/** A request is worth a line once it has ended. */
export type Log = Omit<PipelineEvents, 'recordOpened'> & ControlEvents

/**
 * Lines below `level` are left out; it is asked anew for each, as a reload may change it. A request that failed for a
 * reason on our side of the client is a warning.
 */
export function createLog(level: () => LogLevel, writeLine: (line: string) => void): Log {
  const writes = (line: LogLevel) => RANK[line] >= RANK[level()]
  return {
    ...lmcacheLines(writes, writeLine),
    ...fleetLines(writes, writeLine),
    recordClosed(record) {
      const isTrouble =
        record.status >= 500 || (record.stream_end !== undefined && TROUBLED_ENDS.has(record.stream_end))
      const line = isTrouble ? 'warn' : 'info'
      if (!writes(line)) return
      // Put in front of the record's own text: spreading it into a new object costs as much as writing it.
      writeLine(`{"level":"${line}","event":"request",${JSON.stringify(record).slice(1)}`)
    },
    strangerClosed() {}, // Counted: a line for each would be anybody's to write.
    cacheFailed({ backend, why }) {
      if (writes('warn')) writeLine(JSON.stringify({ level: 'warn', event: 'cache_failed', backend, why }))
    },
    hookFailed({ requestId, hook, outcome, why }) {
      if (writes('warn')) {
        writeLine(JSON.stringify({ level: 'warn', event: 'hook_failed', request_id: requestId, hook, outcome, why }))
      }
    },
    keyServiceFailed({ requestId, service, why }) {
      if (writes('warn')) {
        writeLine(JSON.stringify({ level: 'warn', event: 'key_service_failed', request_id: requestId, service, why }))
      }
    },
    referencesChanged({ of, status: { state, dimensions, refused, why } }) {
      const line = state === 'failing' || refused > 0 ? 'warn' : 'info'
      if (!writes(line)) return
      writeLine(JSON.stringify({ level: line, event: 'embeddings', of, state, dimensions, refused, why }))
    },
    configChanged({ pointer: { sequence, origin }, before, after, diff }) {
      if (!writes('info')) return
      const { workersAdded: added, workersRemoved: removed, changed, needsRestart } = diff
      const line = { level: 'info', event: 'config_changed', hash: after, before, sequence, origin, changed }
      writeLine(
        JSON.stringify({ ...line, workers_added: added, workers_removed: removed, needs_restart: needsRestart }),
      )
    },
    configStoreFailed(cause) {
      writeLine(JSON.stringify({ level: 'error', event: 'config_store_failed', cause: textOf(cause) }))
    },
    adminCalled({ requestId, method, route, by, status }) {
      if (!writes('info')) return
      writeLine(JSON.stringify({ level: 'info', event: 'admin', request_id: requestId, method, route, by, status }))
    },
    defect(requestId, cause) {
      writeLine(JSON.stringify({ level: 'error', event: 'defect', request_id: requestId, cause: textOf(cause) }))
    },
  }
}

type FleetEvents = Pick<Log, 'workerChanged' | 'fleetSyncFailed' | 'limitStoreFailed'>

function fleetLines(writes: (line: LogLevel) => boolean, writeLine: (line: string) => void): FleetEvents {
  return {
    workerChanged({ workerId: worker, availability, breaker, reason }) {
      // Every worker is found up once, as it should be.
      if (availability.from === 'unknown' && availability.to === 'up') return
      const line = ['up', 'draining', 'parked'].includes(availability.to) ? 'info' : 'warn'
      if (!writes(line)) return
      const { from: before, to: now } = availability
      writeLine(
        JSON.stringify({
          level: line,
          event: 'worker',
          worker,
          availability: now,
          before,
          reason,
          breaker: breaker.to,
        }),
      )
    },
    fleetSyncFailed(cause) {
      if (writes('warn')) writeLine(JSON.stringify({ level: 'warn', event: 'fleet_sync_failed', cause: textOf(cause) }))
    },
    limitStoreFailed(cause) {
      if (writes('warn'))
        writeLine(JSON.stringify({ level: 'warn', event: 'limit_store_failed', cause: textOf(cause) }))
    },
  }
}

type LmcacheEvents = Pick<Log, 'lmcacheFailed' | 'lmcacheProbed' | 'lmcacheSightChanged' | 'lmcacheStranger'>

function lmcacheLines(writes: (line: LogLevel) => boolean, writeLine: (line: string) => void): LmcacheEvents {
  return {
    lmcacheFailed({ requestId, step, worker, outcome, why }) {
      if (!writes('warn')) return
      const line = { level: 'warn', event: 'lmcache_failed', request_id: requestId, step, worker, outcome, why }
      writeLine(JSON.stringify(line))
    },
    lmcacheProbed() {}, // Counted.
    lmcacheSightChanged({ state, because }, causes) {
      const level = state === 'blind' ? 'warn' : 'info'
      if (!writes(level)) return
      writeLine(JSON.stringify({ level, event: 'lmcache_sight', state, because, likely_causes: causes }))
    },
    lmcacheStranger(instance) {
      if (!writes('warn')) return
      const hint = 'name workers like it, or say whose it is in lmcache_worker_map'
      writeLine(JSON.stringify({ level: 'warn', event: 'lmcache_unknown_instance', instance, hint }))
    },
  }
}

const TROUBLED_ENDS: ReadonlySet<string> = new Set(['truncated', 'upstream_error', 'timeout'])

function textOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
