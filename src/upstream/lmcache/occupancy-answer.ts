// What LMCache's control planes say of how full caches are, read forgivingly: releases differ in what they send, and one
// odd entry must not hide the others. Null only for what is no such answer at all.

import type { LmcacheInstance } from '../../store/lmcache-occupancy.ts'

/** More than any fleet has; the rest of a longer list is left out, since it travels with every snapshot. */
const MAX_INSTANCES = 1_000
const MAX_ID_LENGTH = 256

/**
 * A rank that has sent heartbeats, and none for this much longer than another has, is taken for gone: what the control
 * plane says of it is history. Compared within one answer, since clocks of machines differ.
 */
const HEARTBEAT_STALE_S = 300

interface Rank {
  readonly instanceId: string
  readonly rank: number
  readonly ip: string | null
  readonly keyCount: number | null
  /** Seconds; null for a rank that sends no heartbeats, which is LMCache's default. */
  readonly heartbeatS: number | null
}

/** `GET /controller/workers` of the legacy controller: one entry for each rank of each engine. */
export function parseWorkers(answer: unknown): readonly LmcacheInstance[] | null {
  const entries = fieldOf(answer, 'workers')
  if (!Array.isArray(entries)) return null
  const ranks = entries.flatMap(toRank)
  if (ranks.length === 0 && entries.length > 0) return null
  const newestS = Math.max(...ranks.map(({ heartbeatS }) => heartbeatS ?? Number.NEGATIVE_INFINITY))
  const byInstance = new Map<string, Map<number, Rank>>()
  for (const rank of ranks) {
    const known = byInstance.get(rank.instanceId) ?? new Map<number, Rank>()
    // A rank that registered again stands there twice in some releases; the last word counts.
    byInstance.set(rank.instanceId, known.set(rank.rank, rank))
  }
  const instances = [...byInstance].map(([instanceId, known]) => toInstance(instanceId, [...known.values()], newestS))
  return instances.slice(0, MAX_INSTANCES)
}

/**
 * `GET /directory/stats` of the coordinator, with `GET /instances` for addresses; null in place of the latter when it could
 * not be had. Its counts are of keys: one for each chunk and rank, of every model of the node.
 */
export function parseDirectory(stats: unknown, instances: unknown): readonly LmcacheInstance[] | null {
  const counts = fieldOf(stats, 'l1_keys_by_instance')
  if (!isObject(counts)) return null
  const registered = fieldOf(instances, 'instances')
  const ips = new Map(
    (Array.isArray(registered) ? registered : []).flatMap((entry: unknown) => {
      const instanceId = toId(fieldOf(entry, 'instance_id'))
      return instanceId === null ? [] : [[instanceId, toText(fieldOf(entry, 'ip'))] as const]
    }),
  )
  const ids = new Set([...Object.keys(counts).flatMap((id) => toId(id) ?? []), ...ips.keys()])
  return Array.from(ids, (instanceId) => ({
    instanceId,
    ip: ips.get(instanceId) ?? null,
    // One that is registered and not counted holds nothing yet.
    chunks: instanceId in counts ? toCount(counts[instanceId]) : 0,
  })).slice(0, MAX_INSTANCES)
}

/** Each rank holds a part of each chunk and counts it, so that the ranks' mean is what the instance holds. */
function toInstance(instanceId: string, ranks: readonly Rank[], newestS: number): LmcacheInstance {
  const [first] = ranks.toSorted((one, other) => one.rank - other.rank)
  const counts = ranks.flatMap(({ keyCount, heartbeatS }) => {
    const isGone = heartbeatS !== null && newestS - heartbeatS > HEARTBEAT_STALE_S
    return keyCount === null || isGone ? [] : [keyCount]
  })
  const total = counts.reduce((sum, count) => sum + count, 0)
  return { instanceId, ip: first?.ip ?? null, chunks: counts.length === 0 ? null : Math.round(total / counts.length) }
}

function toRank(entry: unknown, at: number): Rank[] {
  const instanceId = toId(fieldOf(entry, 'instance_id'))
  if (instanceId === null) return []
  const heartbeatS = toCount(fieldOf(entry, 'last_heartbeat_time'))
  const registeredS = toCount(fieldOf(entry, 'registration_time'))
  // Without heartbeats that time stays the one of the registration.
  const hasHeartbeats = heartbeatS !== null && registeredS !== null && heartbeatS > registeredS + 1
  return [
    {
      instanceId,
      // Without a number each entry is a rank of its own.
      rank: toCount(fieldOf(entry, 'worker_id')) ?? -1 - at,
      ip: toText(fieldOf(entry, 'ip')),
      keyCount: toCount(fieldOf(entry, 'key_count')),
      heartbeatS: hasHeartbeats ? heartbeatS : null,
    },
  ]
}

function toId(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value.length <= MAX_ID_LENGTH ? value : null
}

function toText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_ID_LENGTH) : null
}

function toCount(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
}

function fieldOf(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
