// Counts of what happened, by route, status class and end. Later exporters read them; nothing is sampled.

import type { PipelineEvents } from '../pipeline/events.ts'
import { LabelTree } from './label-tree.ts'
import { statusClass } from './status-class.ts'

export interface Counters extends Omit<PipelineEvents, 'recordOpened'> {
  /** Counts by name and labels, such as `requests{route="/v1/chat/completions",status="2xx"}`. */
  snapshot(): Readonly<Record<string, number>>
}

export function createCounters(): Counters {
  // Labels are routes of the catalogue, status classes, configured names and fixed words, so their number is bounded.
  const counts = new Map<string, { count: number }>()
  const counted = new LabelTree<{ count: number }>()
  function add(name: string, labels: Readonly<Record<string, string>> = {}, amount = 1): void {
    const slot = counted.slot(name, Object.values(labels))
    if (slot.value === null) counts.set(keyOf(name, labels), (slot.value = { count: 0 }))
    slot.value.count += amount
  }
  return {
    recordClosed(record) {
      add('requests', { route: record.route, status: statusClass(record.status) })
      if (record.stream_end !== undefined) add('stream_ends', { end: record.stream_end })
      if (record.error !== undefined) add('errors', { code: record.error })
      add('attempts', {}, record.attempts.length)
      for (const entry of record.hooks_ran ?? []) add('hooks', { entry })
    },
    strangerClosed: () => {}, // A metric, by route and error.
    workerChanged: () => {}, // A state, which /admin/workers shows.
    fleetSyncFailed: () => add('fleet_sync_failures'),
    limitStoreFailed: () => add('limit_store_failures'),
    cacheFailed: ({ backend, why }) => add('cache_failures', { backend, why }),
    cacheRecovered: () => {}, // The log says so.
    storeRecovered: () => {}, // As well.
    exporterChanged: () => {}, // Metrics count what is sent and lost.
    hookFailed: () => {}, // The record counts it, with how it ended.
    keyServiceFailed: ({ service }) => add('key_service_failures', { service: String(service) }),
    referencesChanged: () => {}, // A state, which /admin/stats shows.
    lmcacheStranger: () => add('lmcache_strangers'),
    lmcacheFailed: ({ step, outcome }) => add('lmcache_failures', { step, outcome }),
    lmcacheProbed: (outcome) => add('lmcache_probes', { outcome }),
    lmcacheSightChanged: ({ state }) => add('lmcache_sight', { state }),
    defect: () => add('defects'),
    snapshot: () => Object.fromEntries(Array.from(counts, ([key, { count }]) => [key, count])),
  }
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`
}
