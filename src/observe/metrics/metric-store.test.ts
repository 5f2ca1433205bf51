// The text that a scraper reads: every family, escaped labels, cumulative buckets, and no more series than there may be.

import { describe, expect, test } from 'vitest'
import { readScrape } from '../../../test/support/metrics.ts'
import { ALL_METRIC_NAMES, METRICS } from './definitions.ts'
import { MAX_SERIES } from '../../store/fleet-counts.ts'
import { MetricStore, toFamilies, toText } from './metric-store.ts'

const exposed = (store: MetricStore) => toText(store.families())
const moved = (store: MetricStore) => [...readScrape(exposed(store))].filter(([, value]) => value !== 0)

describe('the text', () => {
  test('names every metric with its help and type before anything has happened', () => {
    const text = exposed(new MetricStore())
    const introduced = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE (\S+) (\S+)$/gm)]
    expect(introduced.map(([, name]) => name)).toEqual(ALL_METRIC_NAMES)
    for (const [, name, help, again, type] of introduced) {
      const definition = METRICS[name as keyof typeof METRICS]
      expect({ name: again, help, type }).toEqual({ name, help: definition.help, type: definition.type })
    }
  })

  test('begins counters without labels at nought, so that alerts see their first event as growth', () => {
    const unlabelled = Object.entries(METRICS).filter(
      ([, { type, labels }]) => type === 'counter' && labels.length === 0,
    )
    const begun = unlabelled.map(([name]) => [name.replace('vllm_router_', ''), 0])
    expect([...readScrape(exposed(new MetricStore()))]).toEqual(begun)
    expect([...readScrape(toText(toFamilies({}, {})))]).toEqual(begun)
    // Counts that can't be had must not look like counters that began anew.
    expect([...readScrape(toText(toFamilies(null, {})))]).toEqual([])
    const store = new MetricStore()
    store.add('vllm_router_defects_total', [])
    expect(readScrape(exposed(store)).get('defects_total')).toBe(1)
  })

  test('keeps what label values hold', () => {
    const store = new MetricStore()
    const strange = 'a"b\\c\nd'
    store.add('vllm_router_requests_total', ['/v1/chat/completions', strange, '2xx'], 2)
    const [line] = exposed(store).match(/^vllm_router_requests_total\{.*$/m) ?? []
    expect(line).toBe(
      String.raw`vllm_router_requests_total{route="/v1/chat/completions",model="a\"b\\c\nd",status="2xx"} 2`,
    )
    readScrape(exposed(store))
  })

  test('counts each observation in every bucket that it fits', () => {
    const store = new MetricStore()
    for (const seconds of [0, 0.005, 0.0051, 3, 1_000]) store.observe('vllm_router_queue_duration_seconds', [], seconds)
    const lines = exposed(store).split('\n')
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
    expect(moved(store)).toEqual([['worker_health{worker="b"}', 1]])
  })
})

describe('a metric with all the series it may have', () => {
  const many = MAX_SERIES + 1_000

  test('drops what was not touched for longest, whatever labels come', () => {
    const store = new MetricStore()
    for (let at = 0; at < many; at += 1) {
      store.add('vllm_router_retries_total', [`/${at}`])
      store.observe('vllm_router_request_duration_seconds', [`/${at}`], 1)
      store.add('vllm_router_retries_total', ['/in use'])
    }
    const series = readScrape(exposed(store))
    expect(series.size).toBeLessThanOrEqual(2 * MAX_SERIES)
    expect(series.get('retries_total{route="/in use"}')).toBe(many)
    expect(series.get(`retries_total{route="/${many - 1}"}`)).toBe(1)
    expect(series.has('retries_total{route="/0"}')).toBe(false)
  })

  test('goes on with workers that come when ten thousand others have left', () => {
    const store = new MetricStore()
    for (let at = 0; at < 10_000; at += 1) store.add('vllm_router_processed_requests_total', [`worker-${at}`])
    const series = readScrape(exposed(store))
    expect(series.size).toBeLessThanOrEqual(MAX_SERIES)
    expect(series.get('processed_requests_total{worker="worker-9999"}')).toBe(1)
  })
})

test('a count that somebody else keeps is followed, also when it begins anew', () => {
  const store = new MetricStore()
  for (const total of [3, 5, 5, 2]) store.follow('vllm_router_spans_sent_total', [], total)
  expect(moved(store)).toEqual([['spans_sent_total', 7]])
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
