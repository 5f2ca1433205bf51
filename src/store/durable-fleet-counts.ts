// FleetCounts over a Durable Object, as an isolate sees it: one object of the class `Fleet` adds up what all count.

import type { FleetNamespace } from './durable-object.ts'
import type { FleetCounts } from './fleet-counts.ts'

export const countsName = (pool: string): string => `${pool}/counts`

export interface DurableFleetCountsOptions {
  readonly namespace: FleetNamespace
  readonly pool: string
}

export function createDurableFleetCounts({ namespace, pool }: DurableFleetCountsOptions): FleetCounts {
  return { report: (report) => namespace(countsName(pool)).reportCounts(report) }
}
