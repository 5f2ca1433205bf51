// `trace_config`: where spans go, and of which requests.

import * as z from 'zod'
import type { TraceConfig } from './config.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { type Problem, warningAt } from './finding.ts'
import { flag, list, text } from './scalars.ts'
import { secretHeaderValue } from './schema-walk.ts'

/** Where collectors take gRPC, and where they take HTTP. */
const GRPC_PORT = '4317'
const HTTP_PORT = '4318'

const TRACES_PATH = '/v1/traces'

export const traceSchema = z.strictObject({
  /** A collector's address; without one there are no traces. `http://` and `/v1/traces` are added where they are missing. */
  otlp_traces_endpoint: z
    .string({ error: 'must be a URL such as http://127.0.0.1:4318' })
    .superRefine((value, context) => {
      const message = endpointProblem(value)
      if (message !== null) context.addIssue({ code: 'custom', message, input: value })
    })
    .meta({ reaches: 'service' })
    .optional(),
  protocol: z.enum(['http/json', 'http/protobuf']).default('http/protobuf'),
  /** Sent with every message, such as a collector's key. */
  headers: z.record(z.string(), secretHeaderValue(), { error: 'must be a map such as {x-api-key: KEY}' }).default({}),
  service_name: text().default('vllm-router'),
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
    endpoint: endpointOf(file.otlp_traces_endpoint).href,
    protocol: file.protocol,
    headers: file.headers,
    serviceName: file.service_name,
    samplingRatio: file.sampling_ratio,
    excludedPaths: new Set(file.excluded_paths),
    exportsErrors: file.export_errors,
  }
}

export function checkTraces({ file: { trace_config: traces = {} } }: Pick<CrossCheckInput, 'file'>): Problem[] {
  const endpoint = traces.otlp_traces_endpoint
  if (endpoint === undefined || !isGrpcAddress(endpoint)) return []
  const message = `names port ${GRPC_PORT}, where collectors take gRPC; spans go to port ${HTTP_PORT} by HTTP. Write that port`
  return [warningAt(['trace_config', 'otlp_traces_endpoint'], message)]
}

function isGrpcAddress(endpoint: string): boolean {
  return withScheme(endpoint).port === GRPC_PORT
}

function endpointOf(value: string): URL {
  const url = withScheme(value)
  if (url.port === GRPC_PORT) url.port = HTTP_PORT
  if (url.pathname === '/') url.pathname = TRACES_PATH
  return url
}

function withScheme(value: string): URL {
  return new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`)
}

function endpointProblem(value: string): string | null {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(value) && !/^https?:/i.test(value)) return 'must start with http:// or https://'
  if (value.trim() !== value || !URL.canParse(`http://${value.replace(/^https?:\/\//i, '')}`)) {
    return 'is no address; write http://HOST:PORT'
  }
  const { username, password, search, hash } = withScheme(value)
  if (username !== '' || password !== '') return 'has a user or password in front of the host; put the key in headers'
  return search === '' && hash === '' ? null : 'has a query or a fragment; remove it'
}
