// One JSON line per request and per defect. A line says what was decided and how it ended, never what was asked.

import type { LogLevel } from '../config/config.ts'
import type { PipelineEvents } from '../pipeline/events.ts'

const RANK = { debug: 0, info: 1, warn: 2, error: 3 } as const satisfies Record<LogLevel, number>

/** Lines below `level` are left out. A request that failed for a reason on our side of the client is a warning. */
export function createLog(level: LogLevel, writeLine: (line: string) => void): PipelineEvents {
  const writes = (line: LogLevel) => RANK[line] >= RANK[level]
  return {
    recordClosed(record) {
      const isTrouble =
        record.status >= 500 || (record.stream_end !== undefined && TROUBLED_ENDS.has(record.stream_end))
      const line = isTrouble ? 'warn' : 'info'
      if (!writes(line)) return
      // Put in front of the record's own text: spreading it into a new object costs as much as writing it.
      writeLine(`{"level":"${line}","event":"request",${JSON.stringify(record).slice(1)}`)
    },
    fleetSyncFailed(cause) {
      if (writes('warn')) writeLine(JSON.stringify({ level: 'warn', event: 'fleet_sync_failed', cause: textOf(cause) }))
    },
    hookFailed({ requestId, hook, outcome, why }) {
      if (writes('warn')) {
        writeLine(JSON.stringify({ level: 'warn', event: 'hook_failed', request_id: requestId, hook, outcome, why }))
      }
    },
    defect(requestId, cause) {
      writeLine(JSON.stringify({ level: 'error', event: 'defect', request_id: requestId, cause: textOf(cause) }))
    },
  }
}

const TROUBLED_ENDS: ReadonlySet<string> = new Set(['truncated', 'upstream_error', 'timeout'])

function textOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
