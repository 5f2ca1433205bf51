// The report of a replay that never was.

import type { ReplayReport } from '../../src/replay/report-schema.ts'
import { REPORT_VERSION } from '../../src/replay/report-version.ts'

export function madeUpReport(given: Partial<ReplayReport>): ReplayReport {
  return {
    report_version: REPORT_VERSION,
    sentence: 'With least_load instead of round_robin: 60 (75.0 %) to the same worker, 20 (25.0 %) different',
    configuration: { name: 'new.yaml', hash: '0123456789abcdef', policy: 'least_load' },
    against: null,
    total: 0,
    same: 0,
    different: 0,
    no_worker: 0,
    newly_refused: 0,
    newly_served: 0,
    neither: 0,
    not_comparable: 0,
    exact: { same: 0, different: 0 },
    modelled: { same: 0, different: 0, assumptions: { turn: 0, newcomer: 0, session: 0, cache: 0 } },
    same_configuration: { records: 0, different: 0 },
    causes: { policy: 0, rule: 0, workers: 0, hook: 0, model_access: 0, missing_fact: 0 },
    not_comparable_reasons: [],
    policies: {},
    models: {},
    by: null,
    before: { workers: 2, requests: 80, hotspot: 1.1 },
    after: { workers: 2, requests: 80, hotspot: 1.5 },
    workers: {},
    latency_ms: { count: 0, p50: null, p90: null, p99: null, histogram: [] },
    prefix: null,
    period: null,
    ...given,
  }
}
