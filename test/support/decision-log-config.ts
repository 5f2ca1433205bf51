// The section `decision_log` as a router has it when nothing is configured.

import type { DecisionLogConfig } from '../../src/config/config.ts'
import { decisionLogSchema, toDecisionLog } from '../../src/config/decision-log-schema.ts'

export function decisionLogConfig(given: Partial<DecisionLogConfig> = {}): DecisionLogConfig {
  return { ...toDecisionLog(decisionLogSchema.parse({})), ...given }
}
