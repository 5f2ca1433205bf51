// `trace_config`: addresses as people write them, and OpenTelemetry's own variables for what it leaves open.

import { describe, expect, test } from 'vitest'
import { good, load } from '../../test/support/load-config.ts'
import { METRIC_VARIABLES, withMetricsEnvironment } from './metrics-environment.ts'
import { TRACE_VARIABLES, withTraceEnvironment } from './trace-environment.ts'

const ONE = 'workers: [{url: "http://a:8000"}]\n'

async function tracesOf(yaml: string, variables: Readonly<Record<string, string>> = {}) {
  const { config } = await good(`${ONE}${yaml}`, { variables })
  return config.traces
}

test('there are none without an address', async () => {
  expect(await tracesOf('')).toBeNull()
  expect(await tracesOf('trace_config: {sampling_ratio: 0.5}')).toBeNull()
})

describe('an address', () => {
  test.each([
    ['localhost:4318', 'http://localhost:4318/v1/traces'],
    ['http://collector', 'http://collector/v1/traces'],
    ['https://collector.example/', 'https://collector.example/v1/traces'],
    ['https://collector.example/custom/path', 'https://collector.example/custom/path'],
    ['http://[::1]:4318', 'http://[::1]:4318/v1/traces'],
  ])('%s means %s', async (written, endpoint) => {
    expect((await tracesOf(`trace_config: {otlp_traces_endpoint: "${written}"}`))?.endpoint).toBe(endpoint)
  })

  test('of gRPC is taken for the one of HTTP beside it, with a warning', async () => {
    const { config, findings } = await good(`${ONE}trace_config: {otlp_traces_endpoint: "localhost:4317"}`)
    expect(config.traces?.endpoint).toBe('http://localhost:4318/v1/traces')
    expect(findings).toMatchObject([{ severity: 'warning', message: expect.stringContaining('4318') }])
  })

  test.each(['grpc://collector:4317', 'http://user:secret@collector', 'http://collector?x=1', ' collector', 'a b'])(
    '%s is refused',
    async (written) => {
      const result = await load(`${ONE}trace_config: {otlp_traces_endpoint: "${written}"}`)
      expect(result.ok).toBe(false)
      expect(JSON.stringify(result.findings)).not.toContain('secret')
    },
  )
})

test.each([
  'sampling_ratio: 1.5',
  'sampling_ratio: -0.1',
  'sampling_ratio: half',
  'protocol: grpc',
  'timeout: -1',
  'resource_attributes: [a]',
  'excluded_paths: /health',
  'headers: [a]',
  'endpoint: http://a',
])('%s is refused', async (line) => {
  expect((await load(`${ONE}trace_config: {otlp_traces_endpoint: "http://a", ${line}}`)).ok).toBe(false)
})

test('a Worker is given all variables that are read', () => {
  const read = new Set<string>()
  const env = (name: string) => {
    read.add(name)
    return undefined
  }
  withMetricsEnvironment(withTraceEnvironment({}, env), env)
  expect([...read].toSorted()).toEqual([...new Set([...TRACE_VARIABLES, ...METRIC_VARIABLES])].toSorted())
})

describe('the environment', () => {
  const SET = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=a%20key, x-team = search',
    OTEL_SERVICE_NAME: 'edge',
    OTEL_EXPORTER_OTLP_TIMEOUT: '2500',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,team=search%20two,service.name=other',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
  }

  test('says all there is to say', async () => {
    expect(await tracesOf('', SET)).toMatchObject({
      endpoint: 'http://collector:4318/v1/traces',
      protocol: 'http/json',
      headers: { 'x-api-key': 'a key', 'x-team': 'search' },
      serviceName: 'edge',
      timeoutMs: 2_500,
      resourceAttributes: { 'deployment.environment.name': 'test', team: 'search two' },
      samplingRatio: 0.25,
    })
  })

  test('gives way to the file', async () => {
    expect(
      await tracesOf('trace_config: {sampling_ratio: 1, otlp_traces_endpoint: "http://b:1/x"}', SET),
    ).toMatchObject({
      endpoint: 'http://b:1/x',
      samplingRatio: 1,
      serviceName: 'edge',
    })
  })

  test('has an address of traces alone, which is taken as it is', async () => {
    const own = { ...SET, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:4318/own' }
    expect((await tracesOf('', own))?.endpoint).toBe('http://traces:4318/own')
  })

  test('has words for traces alone, which come first; what is empty is not set', async () => {
    const own = {
      ...SET,
      OTEL_SERVICE_NAME: '',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: '',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: '',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '100',
    }
    expect(await tracesOf('', own)).toMatchObject({
      endpoint: 'http://collector:4318/v1/traces',
      protocol: 'http/protobuf',
      headers: { 'x-team': expect.anything() },
      serviceName: 'other',
      timeoutMs: 100,
    })
  })

  test.each([{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'none' }])(
    'switches traces off: %j',
    async (off) => {
      expect(await tracesOf('trace_config: {otlp_traces_endpoint: "http://a"}', { ...SET, ...off })).toBeNull()
    },
  )

  test('is read over where it makes no sense', async () => {
    expect(
      await tracesOf('', {
        ...SET,
        OTEL_TRACES_SAMPLER_ARG: 'half',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
        OTEL_EXPORTER_OTLP_TIMEOUT: 'long',
      }),
    ).toMatchObject({
      samplingRatio: 1,
      protocol: 'http/protobuf',
      timeoutMs: 5_000,
    })
  })
})
