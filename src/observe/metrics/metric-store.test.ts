// The text that a scraper reads: every family, escaped labels, cumulative buckets, and no more series than there may be.

import { describe, expect, test } from 'vitest'
import { readScrape } from '../../../test/support/metrics.ts'
import { ALL_METRIC_NAMES, METRICS } from './definitions.ts'
import { MetricStore } from './metric-store.ts'

describe('the text', () => {
  test('names every metric with its help and type before anything has happened', () => {
    const text = new MetricStore().expose()
    expect(readScrape(text).size).toBe(0)
    const introduced = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE (\S+) (\S+)$/gm)]
    expect(introduced.map(([, name]) => name)).toEqual(ALL_METRIC_NAMES)
    for (const [, name, help, again, type] of introduced) {
      const definition = METRICS[name as keyof typeof METRICS]
      expect({ name: again, help, type }).toEqual({ name, help: definition.help, type: definition.type })
    }
  })

  test('keeps what label values hold', () => {
    const store = new MetricStore()
    const strange = 'a"b\\c\nd'
    store.add('vllm_router_requests_total', ['/v1/chat/completions', strange, '2xx'], 2)
    const [line] = store.expose().match(/^vllm_router_requests_total\{.*$/m) ?? []
    expect(line).toBe(
      String.raw`vllm_router_requests_total{route="/v1/chat/completions",model="a\"b\\c\nd",status="2xx"} 2`,
    )
    readScrape(store.expose())
  })

  test('counts each observation in every bucket that it fits', () => {
    const store = new MetricStore()
    for (const seconds of [0, 0.005, 0.0051, 3, 1_000]) store.observe('vllm_router_queue_duration_seconds', [], seconds)
    const lines = store.expose().split('\n')
    const own = lines.filter((line) => line.startsWith('vllm_router_queue_duration_seconds'))
    const valueOf = (rest: string) =>
      own
        .find((line) => line.startsWith(`vllm_router_queue_duration_seconds${rest} `))
        ?.split(' ')
        .at(-1)
    const bounds = ['0.005', '0.01', '5', '240', '+Inf']
    expect(bounds.map((bound) => valueOf(`_bucket{le="${bound}"}`))).toEqual(['2', '3', '4', '4', '5'])
    expect(valueOf('_count')).toBe('5')
    expect(Number(valueOf('_sum'))).toBeCloseTo(1_003.0101)
  })

  test('a level that is not given any more goes away', () => {
    const store = new MetricStore()
    store.setAll('vllm_router_worker_health', [
      [['a'], 1],
      [['b'], 0],
    ])
    store.setAll('vllm_router_worker_health', [[['b'], 1]])
    expect([...readScrape(store.expose())]).toEqual([['worker_health{worker="b"}', 1]])
  })
})

test('whatever labels come, a metric has no more than 4,096 series', () => {
  const store = new MetricStore()
  for (let at = 0; at < 5_000; at += 1) {
    store.add('vllm_router_retries_total', [`/${at}`])
    store.observe('vllm_router_request_duration_seconds', [`/${at}`], 1)
  }
  store.add('vllm_router_retries_total', ['/7'])
  const series = [...readScrape(store.expose())]
  expect(series).toHaveLength(2 * 4_096)
  expect(series.find(([name]) => name === 'retries_total{route="/7"}')?.[1]).toBe(2)
})

describe('the definitions', () => {
  test.each(Object.entries(METRICS))('%s is named as Prometheus names things', (name, definition) => {
    expect(name).toMatch(/^vllm_router_[a-z_]+$/)
    expect(name.endsWith('_total')).toBe(definition.type === 'counter')
    if (definition.type !== 'histogram') return
    expect(name).toMatch(/_(seconds|similarity)$/)
    expect(definition.buckets).toEqual([...new Set(definition.buckets)].toSorted((one, other) => one - other))
  })
})
