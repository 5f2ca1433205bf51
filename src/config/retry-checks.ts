// Checks between the fields of `retry`: what works, but hardly as meant.

import type { CrossCheckInput } from './cross-checks.ts'
import { warningAt, type Problem } from './finding.ts'

/** Remarks on `retry`. */
export function checkRetry({ file }: CrossCheckInput): Problem[] {
  const { retry } = file
  if (retry === undefined) return []
  const { initial_backoff_ms: initialMs = 0, max_backoff_ms: maxMs = Infinity } = retry
  const problems: Problem[] = []
  if (initialMs > maxMs) {
    problems.push(warningAt(['retry', 'initial_backoff_ms'], 'is longer than retry.max_backoff_ms, which cuts it'))
  }
  const statuses = retry.statuses ?? []
  const statusesOnce = retry.statuses_once ?? []
  for (const [name, listed] of Object.entries({ statuses, statuses_once: statusesOnce })) {
    const at = listed.indexOf(500)
    if (at !== -1) problems.push(warningAt(['retry', name, at], POISON))
  }
  for (const [index, status] of statusesOnce.entries()) {
    if (status === undefined || !statuses.includes(status)) continue
    problems.push(warningAt(['retry', 'statuses_once', index], `has no effect: ${status} is in retry.statuses too`))
  }
  return problems
}

const POISON =
  'is dangerous: a request that makes a worker fail with 500 is handed to the next one, and can take a fleet down worker by worker'
