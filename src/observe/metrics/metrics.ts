// The metrics of one router: what its requests add, and what is read off the fleet when somebody asks.

import type { AdminParts } from '../../control/admin-parts.ts'
import { shownWorker } from '../../pipeline/routing-headers.ts'
import type { RouterParts } from '../../pipeline/router-parts.ts'
import type { PipelineEvents } from '../../pipeline/events.ts'
import type { DecisionLogStatus } from '../../store/decision-log.ts'
import type { WorkerStatus } from '../../store/worker-status.ts'
import { MetricStore } from './metric-store.ts'
import { createRequestMetrics } from './request-metrics.ts'

export interface Metrics extends Omit<PipelineEvents, 'recordOpened'> {
  /** The text for Prometheus, as things are now. Never rejects. */
  expose(): Promise<string>
}

/** What gauges are read off; asked when it is needed, as a router is put together around its observers. */
export type MetricSources = () => Pick<AdminParts, 'parts' | 'decisions'>

const CB_STATES = { closed: 0, open: 1, half_open: 2 } as const satisfies Record<
  WorkerStatus['breaker']['state'],
  number
>

export function createMetrics(sources: MetricSources): Metrics {
  const store = new MetricStore()
  const knowsModel = (model: string) => {
    const { mirror, config } = sources().parts()
    return mirror.models().has(model) || config.defaultModel === model
  }
  return {
    ...createRequestMetrics(store, knowsModel),
    workerChanged({ workerId, breaker: { from, to } }) {
      if (from === to) return
      const worker = shownWorker(sources().parts().config, workerId)
      store.add('vllm_router_cb_state_transitions_total', [worker, from, to])
    },
    async expose() {
      const { parts, decisions } = sources()
      readFleet(store, parts())
      readSpans(store, parts().spans)
      // A log that is out of reach must not take the other numbers with it.
      const log = await decisions.status().catch(() => null)
      if (log !== null) readLog(store, log)
      return store.expose()
    },
  }
}

function readFleet(store: MetricStore, { mirror, config, lmcache }: ReturnType<AdminParts['parts']>): void {
  const workers = mirror.workers()
  const named = workers.map((worker) => [shownWorker(config, worker.id), worker] as const)
  const each = (value: (worker: WorkerStatus) => number) =>
    named.map(([name, worker]) => [[name], value(worker)] as const)
  store.setAll('vllm_router_active_workers', [[[], workers.length]])
  store.setAll(
    'vllm_router_worker_health',
    each(({ availability }) => (availability === 'up' ? 1 : 0)),
  )
  store.setAll(
    'vllm_router_worker_availability',
    named.map(([name, { availability }]) => [[name, availability], 1] as const),
  )
  store.setAll(
    'vllm_router_running_requests',
    each(({ inFlightHere }) => inFlightHere),
  )
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
  store.setAll('vllm_router_requests_in_flight', [[[], mirror.inFlight()]])
  store.setAll('vllm_router_fleet_age_seconds', [[[], mirror.view().ageMs / 1000]])
}

function readSpans(store: MetricStore, spans: RouterParts['spans']): void {
  if (spans === null) return
  const { sent, dropped } = spans.counts()
  store.setCount('vllm_router_spans_sent_total', [], sent)
  store.setCount('vllm_router_spans_dropped_total', [], dropped)
}

function readLog(store: MetricStore, { stored, lost, lagMs }: DecisionLogStatus): void {
  store.setCount('vllm_router_decision_log_records_total', [], stored)
  store.setCount('vllm_router_decision_log_lost_total', [], lost)
  store.setAll('vllm_router_decision_log_lag_seconds', [[[], lagMs / 1000]])
}
