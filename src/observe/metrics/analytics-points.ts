// One data point a request for Workers Analytics Engine, where a binding takes them: questions that nobody thought of before can be
// asked of them by SQL, which counters can't. docs/metrics.md lists the columns.

import type { PipelineEvents } from '../../pipeline/events.ts'
import type { AnalyticsDataset } from '../../platform.ts'
import { labelsOf } from './request-metrics.ts'

/** `knowsModel` bounds the index, by which the engine samples. */
export function createAnalyticsPoints(
  dataset: AnalyticsDataset,
  knowsModel: (model: string) => boolean,
): Pick<PipelineEvents, 'recordClosed'> {
  return {
    recordClosed(record, _view, exchange) {
      const { route, model, error, worker } = labelsOf(record, exchange, knowsModel)
      const { prompt_tokens: prompt, completion_tokens: completion } = record.usage ?? {}
      dataset.writeDataPoint({
        indexes: [model],
        blobs: [
          route,
          model,
          String(record.status),
          error ?? '',
          record.worker === undefined ? '' : worker(record.worker),
          record.policy ?? '',
          record.method,
          record.tenant ?? '',
          record.cache_status ?? '',
          record.stream_end ?? '',
        ],
        doubles: [
          record.duration_ms,
          record.ttft_ms ?? 0,
          record.queue_ms ?? 0,
          record.attempts.length,
          prompt ?? 0,
          completion ?? 0,
          record.cached_tokens?.actual ?? 0,
        ],
      })
    },
  }
}
