// `metrics`: who may read `/metrics`.

import * as z from 'zod'
import type { CrossCheckInput } from './cross-checks.ts'
import { type Problem, warningAt } from './finding.ts'
import { flag, text, wholeNumber } from './scalars.ts'

export const metricsSchema = z.strictObject({
  /** Opens `/metrics` to anybody who can reach the port; else it wants an admin key with the scope `read`. */
  public: flag().default(false),
  /** Accepted from configurations of the Rust router, which listens on a port of its own for them. */
  host: text().optional(),
  port: wholeNumber(1, 65_535).optional(),
})

export function checkMetrics({
  file: { metrics = {}, passthrough_paths: opened },
}: Pick<CrossCheckInput, 'file'>): Problem[] {
  const problems: Problem[] = []
  for (const key of ['host', 'port'] as const) {
    if (!(key in metrics) || metrics[key] === undefined) continue
    const message = 'has no effect: metrics are at /metrics of the port that serves requests. Remove it'
    problems.push({ ...warningAt(['metrics', key], message), atKey: true })
  }
  if (opened?.includes('/metrics') === true) {
    const message = 'opens /metrics of a worker, so the metrics of the router can not be had; open another path instead'
    problems.push(warningAt(['passthrough_paths'], message))
  }
  return problems
}
