// Which workers an LMCache instance stands for: by what the operator wrote, by its name, or by its address where that
// leaves no doubt.

import type { WorkerConfig } from '../../config/config.ts'
import { workerNameOf } from '../../config/pool.ts'

export interface KnownInstance {
  readonly instanceId: string
  /** Null where it is not known. */
  readonly ip: string | null
}

/** Ids of an instance's workers; empty for one that stands for none of them. */
export type InstanceJoin = (instanceId: string) => readonly string[]

export interface JoinOptions {
  readonly workers: readonly Pick<WorkerConfig, 'id' | 'url'>[]
  /** Worker ids or URLs by instance id. */
  readonly workerMap: Readonly<Record<string, readonly string[]>>
  /** Everybody that the control plane knows, as far as it said so. */
  readonly instances: readonly KnownInstance[]
  /** Whether one instance may serve several workers of one address. */
  readonly isPerNode: boolean
}

const NOBODY: readonly string[] = []

/** A name that is written in the map says all; then the worker's id, its `host:port`, and its address last. */
export function createInstanceJoin({ workers, workerMap, instances, isPerNode }: JoinOptions): InstanceJoin {
  const byName = new Map<string, readonly string[]>()
  for (const { id, url } of workers.toReversed()) for (const name of namesOf(url)) byName.set(name, [id])
  for (const { id } of workers) byName.set(id, [id])
  for (const [instanceId, names] of Object.entries(workerMap)) {
    byName.set(
      instanceId,
      workers
        .filter(({ id, url }) => names.some((name) => name === id || workerNameOf(name) === url))
        .map(({ id }) => id),
    )
  }
  const byIp = workersByIp(workers)
  const ips = instances.map(({ ip }) => ip)
  return (instanceId) => {
    const named = byName.get(instanceId)
    if (named !== undefined) return named
    const ip = instances.find((instance) => instance.instanceId === instanceId)?.ip ?? null
    // Of two instances at one address nobody can say which worker is whose.
    if (ip === null || ips.indexOf(ip) !== ips.lastIndexOf(ip)) return NOBODY
    const found = byIp.get(ip) ?? NOBODY
    return found.length === 1 || isPerNode ? found : NOBODY
  }
}

/** Counts of instances as counts of workers: `combine` says what becomes of two instances of one worker. */
export function byWorker(
  counts: Iterable<readonly [instanceId: string, count: number]>,
  join: InstanceJoin,
  combine: (one: number, other: number) => number,
): Readonly<Record<string, number>> {
  const joined = new Map<string, number>()
  for (const [instanceId, count] of counts) {
    for (const workerId of join(instanceId)) {
      const known = joined.get(workerId)
      joined.set(workerId, known === undefined ? count : combine(known, count))
    }
  }
  return Object.fromEntries(joined)
}

/** `host:port`, the port written out. */
function namesOf(url: string): readonly string[] {
  if (!URL.canParse(url)) return []
  const { host, hostname, port, protocol } = new URL(url)
  return [port === '' ? `${hostname}:${protocol === 'https:' ? 443 : 80}` : host]
}

/** Only addresses that are written as such: there may be no DNS to ask about names, and what it says may change. */
function workersByIp(workers: JoinOptions['workers']): ReadonlyMap<string, readonly string[]> {
  const byIp = new Map<string, string[]>()
  for (const { id, url } of workers) {
    const host = URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : ''
    if (!/^[\d.]+$/.test(host) && !host.includes(':')) continue
    byIp.set(host, [...(byIp.get(host) ?? []), id])
  }
  return byIp
}
