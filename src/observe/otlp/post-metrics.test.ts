// Metrics on the wire: what a receiver reads off the JSON and off the protocol buffers is the same, and what was meant.

import { Secret } from '../../secret.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { metricMessages } from '../../../test/support/otlp-metrics.ts'
import { type OtlpReceiver, startOtlpReceiver } from '../../../test/support/otlp-receiver.ts'
import type { SendRequest } from '../../platform.ts'
import { MetricStore } from '../metrics/metric-store.ts'
import { postMetrics } from './post-metrics.ts'

let receiver: OtlpReceiver

beforeAll(async () => void (receiver = await startOtlpReceiver()))
afterAll(() => receiver.close())

const after = () => () => {}
const send: SendRequest = (url, { method, headers, body }) =>
  fetch(url, { method, headers, body: body as Uint8Array<ArrayBuffer> })

function push(protocol: 'http/json' | 'http/protobuf', endpoint = `${receiver.url}/v1/metrics`) {
  const store = new MetricStore()
  store.add('vllm_router_requests_total', ['/v1/models', 'späße', '2xx'], 3)
  store.setAll('vllm_router_worker_health', [[['a'], 0]])
  for (const seconds of [0.002, 3, 7, 1_000]) store.observe('vllm_router_request_duration_seconds', ['/r'], seconds)
  const config = { endpoint, protocol, headers: { 'x-key': new Secret('k') }, serviceName: 'edge', intervalMs: 1 }
  const message = { families: store.families(), instance: 'one', sinceMs: 1_767_000_000_000, atMs: 1_767_000_060_000.5 }
  return postMetrics(config, message, { after, send })
}

test.each(['http/json', 'http/protobuf'] as const)('%s', async (protocol) => {
  expect(await push(protocol)).toBe(true)
  expect(receiver.messages.at(-1)?.headers).toMatchObject({ 'x-key': 'k' })
  const common = {
    startNs: 1_767_000_000_000_000_000n,
    atNs: 1_767_000_060_000_500_000n,
    resource: { 'service.name': 'edge', 'service.version': expect.any(String), 'service.instance.id': 'one' },
  }
  const number = { ...common, unit: '', count: null, buckets: [], bounds: [] }
  // Beside these are counters that nothing has moved yet.
  const moved = (metricMessages(receiver).at(-1) ?? []).filter(({ kind, value }) => kind !== 'sum' || value !== 0)
  const [first, ...others] = moved
  expect(first).toEqual({
    ...number,
    name: 'vllm_router_requests_total',
    kind: 'sum',
    temporality: 2,
    isMonotonic: true,
    attributes: { route: '/v1/models', model: 'späße', status: '2xx' },
    value: 3,
  })
  expect(others).toEqual([
    {
      ...common,
      name: 'vllm_router_request_duration_seconds',
      kind: 'histogram',
      temporality: 2,
      isMonotonic: false,
      unit: 's',
      attributes: { route: '/r' },
      value: 1_010.002,
      count: 4,
      buckets: expect.arrayContaining([1]),
      bounds: expect.arrayContaining([0.005, 240]),
    },
    {
      ...number,
      name: 'vllm_router_worker_health',
      kind: 'gauge',
      temporality: null,
      isMonotonic: false,
      attributes: { worker: 'a' },
      value: 0,
    },
  ])
  const buckets = others[0]?.buckets ?? []
  const bounds = others[0]?.bounds ?? []
  expect(buckets).toHaveLength(bounds.length + 1)
  expect([buckets[0], buckets.at(-1), buckets[bounds.indexOf(5)]]).toEqual([1, 1, 1])
})

test('a collector that refuses, or is not there, is a message that was not taken', async () => {
  receiver.answerWith(503)
  expect(await push('http/json')).toBe(false)
  receiver.answerWith(200)
  expect(await push('http/json', 'http://127.0.0.1:1/v1/metrics')).toBe(false)
})
