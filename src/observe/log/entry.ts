// One event of the log: what every line begins with, and the fields of its kind.

import type { LogLevel } from '../../config/config.ts'
import type { LogEventName } from '../../log-events.ts'
import type { LogEntry } from '../../platform.ts'

/** Fields that are undefined are left out of the line. */
export function toEntry(
  nowMs: number,
  level: LogLevel,
  event: LogEventName,
  fields: Readonly<Record<string, unknown>>,
): LogEntry {
  return { time: new Date(nowMs).toISOString(), level, event, ...fields }
}
