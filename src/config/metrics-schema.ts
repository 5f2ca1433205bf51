// `metrics`: who may read `/metrics`, and where metrics are sent besides.

import { toSecrets } from '../secret.ts'
import * as z from 'zod'
import type { MetricsPushConfig } from './config.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { type Problem, warningAt } from './finding.ts'
import { otlpEndpoint, toOtlpUrl, warnOfGrpc } from './otlp-endpoint.ts'
import { flag, seconds, text, wholeNumber } from './scalars.ts'
import { secretHeaderValue } from './schema-walk.ts'

const METRICS_PATH = '/v1/metrics'

const pushSchema = z.strictObject({
  /** A collector's address; without one nothing is sent. `http://` and `/v1/metrics` are added where they are missing. */
  endpoint: otlpEndpoint().optional(),
  protocol: z.enum(['http/json', 'http/protobuf']).default('http/protobuf'),
  /** Sent with every message, such as a collector's key. */
  headers: z.record(z.string(), secretHeaderValue(), { error: 'must be a map such as {x-api-key: KEY}' }).default({}),
  /** Between two messages. */
  interval_secs: seconds().default(60),
  /** Who sends; as spans have it where it is left out. */
  service_name: text().optional(),
})

export const metricsSchema = z.strictObject({
  /** Opens `/metrics` to anybody who can reach the port; else it wants an admin key with the scope `read`. */
  public: flag().default(false),
  /** Metrics that are sent to a collector, whether or not anybody scrapes. */
  otlp: pushSchema.prefault({}),
  /** Accepted from configurations of the Rust router, which listens on a port of its own for them. */
  host: text().optional(),
  port: wholeNumber(1, 65_535).optional(),
})

/** Null where nothing is sent. */
export function toMetricsPush(
  {
    otlp: { endpoint, protocol, headers, interval_secs: intervalSecs, service_name: name },
  }: z.output<typeof metricsSchema>,
  serviceName: string,
): MetricsPushConfig | null {
  if (endpoint === undefined) return null
  return {
    endpoint: toOtlpUrl(endpoint, METRICS_PATH),
    protocol,
    headers: toSecrets(headers),
    serviceName: name ?? serviceName,
    intervalMs: intervalSecs * 1000,
  }
}

export function checkMetrics({
  file: { metrics = {}, passthrough_paths: opened },
}: Pick<CrossCheckInput, 'file'>): Problem[] {
  const problems = warnOfGrpc(metrics.otlp?.endpoint, ['metrics', 'otlp', 'endpoint'], 'metrics go')
  for (const key of ['host', 'port'] as const) {
    if (!(key in metrics) || metrics[key] === undefined) continue
    const message = 'has no effect: metrics are at /metrics of the port that serves requests. Remove it'
    problems.push({ ...warningAt(['metrics', key], message), atKey: true })
  }
  if (opened?.includes('/metrics') === true) {
    const message = 'opens /metrics of a worker, so the metrics of the router can not be had; open another path instead'
    problems.push(warningAt(['passthrough_paths'], message))
  }
  return problems
}
