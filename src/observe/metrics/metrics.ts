// The metrics of one router: what its requests add, what is read off the fleet when somebody asks, and how both become known:
// by a scrape, by messages to a collector, and on Workers through an object that adds up what all isolates count.

import type { Config } from '../../config/config.ts'
import type { AdminParts } from '../../control/admin-parts.ts'
import { shownWorker } from '../../pipeline/routing-headers.ts'
import { ExporterHealth } from '../otlp/exporter-health.ts'
import type { ExporterChange, PipelineEvents } from '../../pipeline/events.ts'
import type { Platform } from '../../platform.ts'
import type { FleetCounts } from '../../store/fleet-counts.ts'
import { CountReporter } from './count-reporter.ts'
import { readCounts, readLevels, readLog } from './levels.ts'
import { MetricPusher } from './metric-pusher.ts'
import { keyOf, MetricStore, toFamilies, toText } from './metric-store.ts'
import { createRequestMetrics } from './request-metrics.ts'

export interface Metrics extends Omit<PipelineEvents, 'recordOpened'> {
  /** The text for Prometheus, as things are now. Never rejects. */
  expose(): Promise<string>
  /** From now on they are sent where this configuration says. */
  use(config: Pick<Config, 'metricsPush'>): void
  /** Sends them a last time. Never rejects. */
  close(): Promise<void>
}

/** What gauges are read off; asked when it is needed, as a router is put together around its observers. */
export type MetricSources = () => Pick<AdminParts, 'parts' | 'decisions'>

export type MetricPlatform = Pick<Platform, 'now' | 'after' | 'send' | 'randomId' | 'fleetCounts' | 'adminOpenTo'>

export function createMetrics(
  sources: MetricSources,
  platform: MetricPlatform,
  onExporterChange: (change: ExporterChange) => void,
): Metrics {
  const { fleetCounts } = platform
  return fleetCounts === undefined
    ? ofProcess(sources, platform, onExporterChange)
    : ofFleet(sources, platform, fleetCounts)
}

/** Every process is asked for its own numbers, or sends them itself. */
function ofProcess(
  sources: MetricSources,
  platform: MetricPlatform,
  onExporterChange: (change: ExporterChange) => void,
): Metrics {
  const store = new MetricStore()
  const health = new ExporterHealth('metrics', onExporterChange)
  let failures = 0
  async function families() {
    const { parts, decisions } = sources()
    readLevels(store, parts(), false)
    readCounts(store, parts())
    // A log that is out of reach must not take the other numbers with it.
    const log = await decisions.status().catch(() => null)
    if (log !== null) {
      readLog(store, log)
      store.setAll('vllm_router_decision_log_lag_seconds', [[[], log.lagMs / 1000]])
    }
    return store.families()
  }
  function onPushed(isTaken: boolean): void {
    store.add('vllm_router_metric_pushes_total', [isTaken ? 'taken' : 'failed'])
    failures += isTaken ? 0 : 1
    health.note(isTaken, failures)
  }
  const pusher = new MetricPusher({ platform, families, onPushed })
  return {
    ...createRequestMetrics(store, modelsOf(sources)),
    workerChanged({ workerId, breaker: { from, to } }) {
      const worker = shownWorker(sources().parts().config, workerId)
      if (from !== to) store.add('vllm_router_cb_state_transitions_total', [worker, from, to])
    },
    expose: async () => toText(await families()),
    use: ({ metricsPush }) => pusher.use(metricsPush),
    close: () => pusher.close(),
  }
}

/** Isolates come and go unseen: what they count is handed over, and whoever is asked tells of all. */
function ofFleet(sources: MetricSources, platform: MetricPlatform, counts: FleetCounts): Metrics {
  const store = new MetricStore()
  const config = () => sources().parts().config
  async function levels() {
    const { parts, decisions } = sources()
    readLevels(store, parts(), true)
    const log = await decisions.status().catch(() => null)
    if (log !== null) store.setAll('vllm_router_decision_log_lag_seconds', [[[], log.lagMs / 1000]])
    return store.levels()
  }
  const reporter = new CountReporter({
    counts,
    platform,
    levels,
    take() {
      const { parts, decisions } = sources()
      readCounts(store, parts())
      const own = decisions.ownCounts?.() ?? null
      if (own !== null) readLog(store, own)
      return store.takeCounts()
    },
    isPushed: () => config().metricsPush !== null,
  })
  // Where nobody may ask and nothing is sent, nobody is told.
  const isRead = () => {
    const { hasPublicMetrics, metricsPush, adminKeys } = config()
    return hasPublicMetrics || metricsPush !== null || adminKeys.length > 0 || platform.adminOpenTo !== 'nobody'
  }
  const events = createRequestMetrics(store, modelsOf(sources))
  return {
    ...events,
    recordClosed(record, view, exchange) {
      if (!isRead()) return
      events.recordClosed(record, view, exchange)
      reporter.seeTo(exchange.context.waitUntil)
    },
    strangerClosed(exchange, end) {
      if (!isRead()) return
      events.strangerClosed(exchange, end)
      reporter.seeTo(exchange.context.waitUntil)
    },
    workerChanged({ workerId, breaker: { from, to }, epoch }) {
      if (from === to || !isRead()) return
      const worker = shownWorker(config(), workerId)
      const metric = 'vllm_router_cb_state_transitions_total'
      reporter.noteEvent({ id: [workerId, epoch, to].join(), metric, key: keyOf([worker, from, to]) })
    },
    async expose() {
      const [all, now] = [await reporter.all(), await levels()]
      const text = toText(toFamilies(all, now))
      // Without them, rather than with this isolate's alone: to a scraper those would be counters that began anew.
      return all === null ? `# What the fleet has counted can't be had at the moment.\n${text}` : text
    },
    // The object that adds up sends as well.
    use() {},
    async close() {},
  }
}

/** The models that may stand in labels. */
export function modelsOf(sources: MetricSources): (model: string) => boolean {
  return (model) => {
    const { mirror, config } = sources().parts()
    return mirror.models().has(model) || config.defaultModel === model
  }
}
