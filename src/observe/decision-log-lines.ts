// What the log says of the decision log when it begins to fail, begins to lose records, and has recovered: one line each.

import type { DecisionLogChange } from '../store/log-health.ts'

export function toLogLine({ state, reason, waiting, lost }: DecisionLogChange): string {
  const level = state === 'recovered' ? 'warn' : 'error'
  return JSON.stringify({ level, event: `decision_log_${state}`, reason, waiting, lost })
}
