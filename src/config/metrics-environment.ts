// OpenTelemetry's own variables, for what `metrics.otlp` leaves open
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/, .../protocol/exporter/).

import { isSet, toHeaders, underBase } from './trace-environment.ts'

/** All that are read here: a Worker sees no variables but those that it is given. */
export const METRIC_VARIABLES: readonly string[] = [
  ...['ENDPOINT', 'PROTOCOL', 'HEADERS'].flatMap((name) => [
    `OTEL_EXPORTER_OTLP_METRICS_${name}`,
    `OTEL_EXPORTER_OTLP_${name}`,
  ]),
  'OTEL_SDK_DISABLED',
  'OTEL_METRICS_EXPORTER',
  'OTEL_METRIC_EXPORT_INTERVAL',
]

type Tree = Readonly<Record<string, unknown>>
type Env = (name: string) => string | undefined

/** The same file with the settings of the environment in its `metrics.otlp`. What is not understood there is left out. */
export function withMetricsEnvironment(file: Tree, env: Env): Tree {
  const metrics = file['metrics'] ?? {}
  // Whatever else it is, is an error that the schema will tell.
  if (!isTree(metrics)) return file
  const written = metrics['otlp'] ?? {}
  if (!isTree(written)) return file
  if (isOff(env)) {
    const { endpoint: _endpoint, ...rest } = written
    return 'otlp' in metrics ? { ...file, metrics: { ...metrics, otlp: rest } } : file
  }
  const settings = readEnvironment(env)
  if (Object.keys(settings).length === 0) return file
  return { ...file, metrics: { ...metrics, otlp: { ...settings, ...written } } }
}

/** Anything but `otlp` is an exporter of somebody else; scraping needs none. */
function isOff(env: Env): boolean {
  const exporters = env('OTEL_METRICS_EXPORTER')
  const isElsewhere = isSet(exporters) && !exporters.split(',').some((name) => name.trim() === 'otlp')
  return env('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || isElsewhere
}

function readEnvironment(env: Env): Record<string, unknown> {
  const settings: Record<string, unknown> = {}
  const own = env('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT')
  const endpoint = isSet(own) ? own : underBase(env('OTEL_EXPORTER_OTLP_ENDPOINT'), '/v1/metrics')
  if (isSet(endpoint)) settings['endpoint'] = endpoint
  const protocol = env('OTEL_EXPORTER_OTLP_METRICS_PROTOCOL') ?? env('OTEL_EXPORTER_OTLP_PROTOCOL')
  if (protocol === 'http/json' || protocol === 'http/protobuf') settings['protocol'] = protocol
  const headers = env('OTEL_EXPORTER_OTLP_METRICS_HEADERS') ?? env('OTEL_EXPORTER_OTLP_HEADERS')
  if (isSet(headers)) settings['headers'] = toHeaders(headers)
  const intervalMs = Number(env('OTEL_METRIC_EXPORT_INTERVAL') ?? Number.NaN)
  if (intervalMs > 0) settings['interval_secs'] = intervalMs / 1000
  return settings
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
