// What the log says of the decision log when it begins to fail, begins to lose records, and has recovered: one entry each.

import type { LogEntry } from '../../platform.ts'
import type { DecisionLogChange } from '../../store/log-health.ts'
import { toEntry } from './entry.ts'

export function toDecisionLogEntry(nowMs: number, { state, reason, waiting, lost }: DecisionLogChange): LogEntry {
  const level = state === 'recovered' ? 'info' : 'error'
  return toEntry(nowMs, level, `decision_log_${state}`, { reason, waiting, lost })
}
