// `metrics`: who may read them, where they are sent, and OpenTelemetry's own variables for what is left open.

import { describe, expect, test } from 'vitest'
import { good, load } from '../../test/support/load-config.ts'

const ONE = 'workers: [{url: "http://a:8000"}]\n'

async function pushOf(yaml: string, variables: Readonly<Record<string, string>> = {}) {
  const { config } = await good(`${ONE}${yaml}`, { variables })
  return config.metricsPush
}

test('nothing is sent without an address', async () => {
  expect(await pushOf('')).toBeNull()
  expect(await pushOf('metrics: {public: true, otlp: {interval_secs: 5}}')).toBeNull()
})

test('an address is enough', async () => {
  expect(await pushOf('metrics: {otlp: {endpoint: "collector:4318"}}')).toEqual({
    endpoint: 'http://collector:4318/v1/metrics',
    protocol: 'http/protobuf',
    headers: {},
    serviceName: 'vllm-router',
    intervalMs: 60_000,
  })
})

test('whoever sends spans and metrics goes by one name, unless it says otherwise', async () => {
  const named = 'trace_config: {service_name: edge}\nmetrics: {otlp: {endpoint: "http://c", '
  expect((await pushOf(`${named}}}`))?.serviceName).toBe('edge')
  expect((await pushOf(`${named}service_name: counts}}`))?.serviceName).toBe('counts')
})

test('an address of gRPC is taken for the one of HTTP beside it, with a warning', async () => {
  const { config, findings } = await good(`${ONE}metrics: {otlp: {endpoint: "localhost:4317"}}`)
  expect(config.metricsPush?.endpoint).toBe('http://localhost:4318/v1/metrics')
  expect(findings).toMatchObject([{ severity: 'warning', message: expect.stringContaining('4318') }])
})

test.each(['interval_secs: 0', 'interval_secs: often', 'protocol: grpc', 'otlp_traces_endpoint: a', 'headers: [a]'])(
  '%s is refused',
  async (line) => {
    expect((await load(`${ONE}metrics: {otlp: {endpoint: "http://a", ${line}}}`)).ok).toBe(false)
  },
)

describe('the environment', () => {
  const SET = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=a%20key',
    OTEL_SERVICE_NAME: 'edge',
    OTEL_METRIC_EXPORT_INTERVAL: '10000',
  }

  test('says all there is to say', async () => {
    expect(await pushOf('', SET)).toEqual({
      endpoint: 'http://collector:4318/v1/metrics',
      protocol: 'http/json',
      headers: { 'x-api-key': 'a key' },
      serviceName: 'edge',
      intervalMs: 10_000,
    })
  })

  test('gives way to the file', async () => {
    const written = 'metrics: {otlp: {endpoint: "http://b:1/x", interval_secs: 2}}'
    expect(await pushOf(written, SET)).toMatchObject({
      endpoint: 'http://b:1/x',
      intervalMs: 2_000,
      serviceName: 'edge',
    })
  })

  test('has variables of metrics alone, before those of all signals', async () => {
    const own = {
      ...SET,
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://metrics:4318/own',
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'x-own=1',
    }
    expect(await pushOf('', own)).toMatchObject({
      endpoint: 'http://metrics:4318/own',
      protocol: 'http/protobuf',
      headers: { 'x-own': '1' },
    })
  })

  test.each([
    { OTEL_SDK_DISABLED: 'true' },
    { OTEL_METRICS_EXPORTER: 'none' },
    { OTEL_METRICS_EXPORTER: 'prometheus' },
  ])('switches sending off: %j', async (off) => {
    expect(await pushOf('metrics: {otlp: {endpoint: "http://a"}}', { ...SET, ...off })).toBeNull()
    expect((await good(ONE, { variables: { ...SET, ...off } })).config.metricsPush).toBeNull()
  })

  test('is read over where it makes no sense', async () => {
    const odd = { ...SET, OTEL_METRIC_EXPORT_INTERVAL: 'often', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }
    expect(await pushOf('', odd)).toMatchObject({ intervalMs: 60_000, protocol: 'http/protobuf' })
  })
})
