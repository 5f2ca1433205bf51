// Counts of what happened, by route, status class and end. Later exporters read them; nothing is sampled.

import type { PipelineEvents } from '../pipeline/events.ts'

export interface Counters extends Omit<PipelineEvents, 'recordOpened'> {
  /** Counts by name and labels, such as `requests{route="/v1/chat/completions",status="2xx"}`. */
  snapshot(): Readonly<Record<string, number>>
}

export function createCounters(): Counters {
  // Labels are routes of the catalogue, status classes, configured names and fixed words, so their number is bounded.
  const counts = new Map<string, number>()
  const add = (key: string, amount = 1) => counts.set(key, (counts.get(key) ?? 0) + amount)
  return {
    recordClosed(record) {
      add(`requests{route="${record.route}",status="${Math.floor(record.status / 100)}xx"}`)
      if (record.stream_end !== undefined) add(`stream_ends{end="${record.stream_end}"}`)
      if (record.error !== undefined) add(`errors{code="${record.error}"}`)
      add('attempts', record.attempts.length)
      for (const entry of record.hooks_ran ?? []) add(`hooks{entry="${entry}"}`)
    },
    strangerClosed: () => {}, // A metric, by route and error.
    workerChanged: () => {}, // A state, which /admin/workers shows.
    fleetSyncFailed: () => void add('fleet_sync_failures'),
    limitStoreFailed: () => void add('limit_store_failures'),
    cacheFailed: ({ backend, why }) => void add(`cache_failures{backend="${backend}",why="${why}"}`),
    cacheRecovered: () => {}, // The log says so.
    storeRecovered: () => {}, // As well.
    exporterChanged: () => {}, // Metrics count what is sent and lost.
    hookFailed: () => {}, // The record counts it, with how it ended.
    keyServiceFailed: ({ service }) => void add(`key_service_failures{service="${service}"}`),
    referencesChanged: () => {}, // A state, which /admin/stats shows.
    lmcacheStranger: () => void add('lmcache_strangers'),
    lmcacheFailed: ({ step, outcome }) => void add(`lmcache_failures{step="${step}",outcome="${outcome}"}`),
    lmcacheProbed: (outcome) => void add(`lmcache_probes{outcome="${outcome}"}`),
    lmcacheSightChanged: ({ state }) => void add(`lmcache_sight{state="${state}"}`),
    defect: () => void add('defects'),
    snapshot: () => Object.fromEntries(counts),
  }
}
