// `trace_config`: where spans go, and of which requests.

import { toSecrets } from '../secret.ts'
import * as z from 'zod'
import type { TraceConfig } from './config.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import type { Problem } from './finding.ts'
import { otlpEndpoint, toOtlpUrl, warnOfGrpc } from './otlp-endpoint.ts'
import { duration, flag, list, text } from './scalars.ts'
import { secretHeaderValue } from './schema-walk.ts'

const TRACES_PATH = '/v1/traces'

/** For `off`: a message that waits for ever would keep all others from going out. */
const NO_LIMIT_MS = 600_000

export const traceSchema = z.strictObject({
  /** A collector's address; without one there are no traces. `http://` and `/v1/traces` are added where they are missing. */
  otlp_traces_endpoint: otlpEndpoint().optional(),
  protocol: z.enum(['http/json', 'http/protobuf']).default('http/protobuf'),
  /** Sent with every message, such as a collector's key. */
  headers: z.record(z.string(), secretHeaderValue(), { error: 'must be a map such as {x-api-key: KEY}' }).default({}),
  service_name: text().default('vllm-router'),
  /** What else every message says of this router, such as `deployment.environment.name`. */
  resource_attributes: z.record(z.string(), z.string(), { error: 'must be a map such as {region: eu}' }).default({}),
  /** How long a message may take. */
  timeout: duration().default(5_000),
  /** Of the traces that begin here; one that a caller began is recorded as its caller says. */
  sampling_ratio: z
    .number({ error: 'must be a number from 0 to 1' })
    .min(0, { error: 'must be a number from 0 to 1' })
    .max(1, { error: 'must be a number from 0 to 1' })
    .default(1),
  /** Paths, as they are in the catalogue, without spans. */
  excluded_paths: list(text(), '[/health]').default(['/health', '/liveness', '/readiness', '/metrics']),
  /** Whether requests that fail are sent even where they were not sampled. */
  export_errors: flag().default(false),
})

export function toTraces(file: z.output<typeof traceSchema>): TraceConfig | null {
  if (file.otlp_traces_endpoint === undefined) return null
  return {
    endpoint: toOtlpUrl(file.otlp_traces_endpoint, TRACES_PATH),
    protocol: file.protocol,
    headers: toSecrets(file.headers),
    serviceName: file.service_name,
    resourceAttributes: file.resource_attributes,
    timeoutMs: file.timeout ?? NO_LIMIT_MS,
    samplingRatio: file.sampling_ratio,
    excludedPaths: new Set(file.excluded_paths),
    exportsErrors: file.export_errors,
  }
}

export function checkTraces({ file: { trace_config: traces = {} } }: Pick<CrossCheckInput, 'file'>): Problem[] {
  const endpoint = traces.otlp_traces_endpoint
  return warnOfGrpc(endpoint, ['trace_config', 'otlp_traces_endpoint'], 'spans go')
}
