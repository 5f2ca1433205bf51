// OpenTelemetry's own variables, for what `trace_config` leaves open
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/, .../protocol/exporter/).

/** Ten minutes; who writes more means none. */
const LONGEST_TIMEOUT_MS = 600_000

const OF_TRACES = ['ENDPOINT', 'PROTOCOL', 'HEADERS', 'TIMEOUT'] as const

/** All that are read here: a Worker sees no variables but those that it is given. */
export const TRACE_VARIABLES: readonly string[] = [
  ...OF_TRACES.flatMap((name) => [`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`]),
  'OTEL_SDK_DISABLED',
  'OTEL_TRACES_EXPORTER',
  'OTEL_SERVICE_NAME',
  'OTEL_RESOURCE_ATTRIBUTES',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
]

type Tree = Readonly<Record<string, unknown>>
type Env = (name: string) => string | undefined

/** The same file with the settings of the environment in its `trace_config`. What is not understood there is left out. */
export function withTraceEnvironment(file: Tree, env: Env): Tree {
  const written = file['trace_config'] ?? {}
  // Whatever else it is, is an error that the schema will tell.
  if (typeof written !== 'object' || Array.isArray(written)) return file
  const isOff = env('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || env('OTEL_TRACES_EXPORTER') === 'none'
  if (isOff) {
    const { otlp_traces_endpoint: _endpoint, ...rest } = written as { readonly otlp_traces_endpoint?: unknown }
    return { ...file, trace_config: rest }
  }
  const settings = readEnvironment(env)
  return Object.keys(settings).length === 0 ? file : { ...file, trace_config: { ...settings, ...written } }
}

function readEnvironment(env: Env): Record<string, unknown> {
  const settings: Record<string, unknown> = {}
  // By the specification a variable that is empty is one that is not set.
  const ofTraces = (name: (typeof OF_TRACES)[number]) =>
    [env(`OTEL_EXPORTER_OTLP_TRACES_${name}`), env(`OTEL_EXPORTER_OTLP_${name}`)].find(isSet)
  const own = env('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT')
  const endpoint = isSet(own) ? own : underBase(env('OTEL_EXPORTER_OTLP_ENDPOINT'), '/v1/traces')
  if (isSet(endpoint)) settings['otlp_traces_endpoint'] = endpoint
  const protocol = ofTraces('PROTOCOL')
  if (protocol === 'http/json' || protocol === 'http/protobuf') settings['protocol'] = protocol
  const headers = ofTraces('HEADERS')
  if (isSet(headers)) settings['headers'] = toHeaders(headers)
  const timeoutMs = Number(ofTraces('TIMEOUT'))
  if (timeoutMs >= 1 && timeoutMs <= LONGEST_TIMEOUT_MS) settings['timeout'] = timeoutMs / 1_000
  const { 'service.name': named, ...attributes } = toHeaders(env('OTEL_RESOURCE_ATTRIBUTES') ?? '')
  if (Object.keys(attributes).length > 0) settings['resource_attributes'] = attributes
  const name = [env('OTEL_SERVICE_NAME'), named].find(isSet)
  if (isSet(name)) settings['service_name'] = name
  const ratio = samplingRatio(env('OTEL_TRACES_SAMPLER'), env('OTEL_TRACES_SAMPLER_ARG'))
  if (ratio !== null) settings['sampling_ratio'] = ratio
  return settings
}

/** A base URL gets the path of the signal behind its own; an endpoint of one signal is taken as it is. */
export function underBase(base: string | undefined, path: string): string | undefined {
  return isSet(base) ? `${base.replace(/\/+$/, '')}${path}` : undefined
}

export function toHeaders(list: string): Record<string, string> {
  const pairs = list.split(',').flatMap((pair) => {
    const at = pair.indexOf('=')
    return at < 1 ? [] : [[pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())] as const]
  })
  return Object.fromEntries(pairs)
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    // A percent sign of its own.
    return value
  }
}

function samplingRatio(sampler: string | undefined, argument: string | undefined): number | null {
  switch (sampler) {
    case 'always_on':
    case 'parentbased_always_on':
      return 1
    case 'always_off':
    case 'parentbased_always_off':
      return 0
    case 'traceidratio':
    case 'parentbased_traceidratio': {
      const ratio = Number(argument ?? '1')
      return ratio >= 0 && ratio <= 1 ? ratio : null
    }
    default:
      return null
  }
}

export function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== ''
}
