// What a policy's wishes of LMCache must agree with: the runtime's bindings, and the pool.

import type { CrossCheckInput } from './cross-checks.ts'
import { type Problem, warningAt, withoutUserInfo } from './finding.ts'
import { workerNameOf } from './pool.ts'
import { unknownBinding } from './unknown-binding.ts'

/** How many workers a message lists. */
const LISTED = 8

export function checkLmcache({ policyNeeds, pool, bindings, isPoolComplete }: CrossCheckInput): Problem[] {
  const needs = policyNeeds?.lmcache ?? null
  if (needs === null) return []
  const workers = pool.map(({ worker }) => worker)
  const isWorker = (name: string) => workers.some(({ id, url }) => id === name || url === workerNameOf(name))
  const strangers = Object.entries(needs.workerMap).flatMap(([instance, names]): Problem[] => {
    const unknown = names.filter((name) => !isWorker(name))
    if (unknown.length === 0 || !isPoolComplete) return []
    const known = workers.slice(0, LISTED).map(({ id }) => id)
    const list = `${known.join(', ')}${workers.length > LISTED ? ', …' : ''}`
    const message = `names no worker: ${unknown.join(', ')}; write the id or the URL of one: ${list}`
    // Not refused: workers come and go by the admin API, and the map may well know of more than are here now.
    return [warningAt(['policy', 'lmcache_worker_map', instance], withoutUserInfo(message))]
  })
  return [...unknownBinding(['policy', 'controller_binding'], needs.controllerBinding, bindings), ...strangers]
}
