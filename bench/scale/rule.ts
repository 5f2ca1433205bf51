// The sharding rule: how many Durable Objects of each kind keep each below so many calls a second. Almost all calls come once
// or twice a second from an isolate, whatever it serves, so the number of isolates decides; owners of stored responses and
// prefix hints are asked by the request.

/** What one object is asked at most. An object can take about 1,000 simple calls a second. */
export const MAX_CALLS_PER_SECOND = 500

/** What the rule reckons with, so that chance and news besides have room. */
const PLANNED_CALLS_PER_SECOND = 350

/** Isolates choose their objects by chance, so that one can have three times as many; and it writes segments besides. */
const PLANNED_RECORDS_PER_SECOND = 2_000

const OBJECTS_PER_GROUP = 8

/** An isolate refreshes its copy of the fleet once a second, and tells of a tenant's use about twice. */
const SYNCS_PER_SECOND = 1
const LEASES_PER_SECOND = 2.1
/** Many records are sent without a pause: so many at a time. */
const RECORDS_PER_SEND = 500

export interface Traffic {
  readonly requestsPerSecond: number
  readonly isolates: number
  /** Requests a second that store a response, continue one, or ask a store of prefix hints. */
  readonly keyedPerSecond: number
}

/** The fields of `fleet` in the configuration. */
export interface ObjectCounts {
  readonly replicas: number
  readonly shards: number
  readonly tenant_shards: number
  readonly decision_groups: number
}

export const DEFAULT_COUNTS: ObjectCounts = { replicas: 4, shards: 16, tenant_shards: 1, decision_groups: 1 }

/** Never fewer than the defaults. */
export function objectCountsFor({ requestsPerSecond, isolates, keyedPerSecond }: Traffic): ObjectCounts {
  const enough = (calls: number) => Math.ceil(calls / PLANNED_CALLS_PER_SECOND)
  const sendsPerSecond = isolates * Math.max(1, requestsPerSecond / isolates / RECORDS_PER_SEND)
  const byRecords = Math.ceil(requestsPerSecond / OBJECTS_PER_GROUP / PLANNED_RECORDS_PER_SECOND)
  return {
    replicas: Math.max(DEFAULT_COUNTS.replicas, enough(isolates * SYNCS_PER_SECOND)),
    shards: Math.max(DEFAULT_COUNTS.shards, enough(2 * keyedPerSecond)),
    tenant_shards: Math.max(DEFAULT_COUNTS.tenant_shards, enough(isolates * LEASES_PER_SECOND)),
    decision_groups: Math.max(DEFAULT_COUNTS.decision_groups, enough(sendsPerSecond / OBJECTS_PER_GROUP), byRecords),
  }
}
