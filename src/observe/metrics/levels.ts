// What is read off a router when somebody asks: levels of its fleet, and counts that others keep.

import { shownWorker } from '../../pipeline/routing-headers.ts'
import type { RouterParts } from '../../pipeline/router-parts.ts'
import type { DecisionCounts } from '../../store/decision-log.ts'
import type { WorkerStatus } from '../../store/worker-status.ts'
import type { MetricStore } from './metric-store.ts'

const CB_STATES = { closed: 0, open: 1, half_open: 2 } as const satisfies Record<
  WorkerStatus['breaker']['state'],
  number
>

/** `isForAll`: requests in flight are those of the whole fleet, as last heard, and not those from here alone. */
export function readLevels(
  store: MetricStore,
  { mirror, config, lmcache, tokenCache }: RouterParts,
  isForAll: boolean,
): void {
  const workers = mirror.workers()
  const named = workers.map((worker) => [shownWorker(config, worker.id), worker] as const)
  const each = (value: (worker: WorkerStatus) => number) =>
    named.map(([name, worker]) => [[name], value(worker)] as const)
  const running = ({ inFlightHere, inFlightElsewhere }: WorkerStatus) =>
    isForAll ? inFlightHere + inFlightElsewhere : inFlightHere
  store.setAll('vllm_router_active_workers', [[[], workers.length]])
  store.setAll(
    'vllm_router_worker_health',
    each(({ availability }) => (availability === 'up' ? 1 : 0)),
  )
  store.setAll(
    'vllm_router_worker_availability',
    named.map(([name, { availability }]) => [[name, availability], 1] as const),
  )
  store.setAll('vllm_router_running_requests', each(running))
  const talking = named.flatMap(([name, { load }]) =>
    load === null ? [] : [[[name], load.running + load.waiting] as const],
  )
  store.setAll('vllm_router_worker_load', talking)
  store.setAll(
    'vllm_router_cb_state',
    each(({ breaker }) => CB_STATES[breaker.state]),
  )
  const sight = lmcache?.lookups?.sight.judge.sight()
  store.setAll('vllm_router_lmcache_blind', sight === undefined ? [] : [[[], sight.state === 'blind' ? 1 : 0]])
  const entries = tokenCache.entries?.() ?? null
  store.setAll('vllm_router_token_cache_entries', entries === null ? [] : [[[], entries]])
  const inFlight = isForAll ? workers.reduce((sum, worker) => sum + running(worker), 0) : mirror.inFlight()
  store.setAll('vllm_router_requests_in_flight', [[[], inFlight]])
  store.setAll('vllm_router_fleet_age_seconds', [[[], mirror.view().ageMs / 1000]])
}

/** Counts of this very process or isolate. */
export function readCounts(store: MetricStore, { spans, sharedPrefixes }: RouterParts): void {
  if (spans !== null) {
    const { sent, dropped } = spans.counts()
    store.follow('vllm_router_spans_sent_total', [], sent)
    store.follow('vllm_router_spans_dropped_total', [], dropped)
  }
  if (sharedPrefixes !== null) store.follow('vllm_router_shared_prefix_writes_total', [], sharedPrefixes.written())
}

export function readLog(store: MetricStore, { stored, lost }: DecisionCounts): void {
  store.follow('vllm_router_decision_log_records_total', [], stored)
  store.follow('vllm_router_decision_log_lost_total', [], lost)
}
