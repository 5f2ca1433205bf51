// The part of the HTTP conformance suite that goes by the clock: deadlines, probes, drains, limits a second. It mostly
// waits, so that it runs beside the other part, in files of its own.

import { faultTableConformance } from './http-fault-table.ts'
import { limitsConformance } from './http-limits.ts'
import { lmcacheSight } from './http-lmcache-sight.ts'
import { healthConformance } from './http-health.ts'
import { probesConformance } from './http-probes.ts'
import type { RuntimeName } from '../support/launch.ts'

export function httpOverTimeConformance(runtime: RuntimeName): void {
  faultTableConformance(runtime)
  limitsConformance(runtime)
  lmcacheSight(runtime)
  healthConformance(runtime)
  probesConformance(runtime)
}
