// Sending beside requests: several spans to a message, one message at a time, and never more waiting than there is room for.

import { describe, expect, test } from 'vitest'
import { VirtualTime } from '../../../test/support/virtual-time.ts'
import type { SendRequest } from '../../platform.ts'
import type { EndedSpan } from '../../tracing/request-trace.ts'
import { createSpanExporter } from './span-exporter.ts'

const CONFIG = {
  endpoint: 'http://collector/v1/traces',
  protocol: 'http/json',
  headers: {},
  serviceName: 'edge',
  samplingRatio: 1,
  resourceAttributes: {},
  timeoutMs: 5_000,
  excludedPaths: new Set<string>(),
  exportsErrors: false,
} as const

const span = (name: string): EndedSpan => ({
  name,
  kind: 'server',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: null,
  traceState: null,
  startMs: 0,
  endMs: 1,
  attributes: {},
  events: [],
  error: null,
})

const spans = (count: number) => Array.from({ length: count }, (_, at) => span(`s${at}`))
const beside = (task: Promise<unknown>) => void task.catch(() => {})

function openExporter(answer: (call: number) => Promise<Response>, wakesAcrossRequests = true) {
  const time = new VirtualTime()
  const sizes: number[] = []
  const send: SendRequest = async (_url, { body, signal }) => {
    const text = new TextDecoder().decode(body as Uint8Array)
    sizes.push(JSON.parse(text).resourceSpans[0].scopeSpans[0].spans.length)
    return Promise.race([
      answer(sizes.length),
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
    ])
  }
  const randomId = () => 'f'.repeat(32)
  const { after, now } = time
  const exporter = createSpanExporter(CONFIG, { send, now, after, wakesAcrossRequests, randomId })
  return { exporter, time, sizes }
}

const good = async () => new Response('{}')

describe('spans', () => {
  test('wait half a second for others to go with them', async () => {
    const { exporter, time, sizes } = openExporter(good)
    exporter.add(spans(3), beside)
    await time.advance(400)
    exporter.add(spans(2), beside)
    expect(sizes).toEqual([])
    await time.advance(200)
    expect(sizes).toEqual([5])
    expect(exporter.counts()).toEqual({ sent: 5, dropped: 0, failures: 0 })
  })

  test('go out 512 at a time', async () => {
    const { exporter, time, sizes } = openExporter(good)
    exporter.add(spans(1_300), beside)
    await time.advance(1_000)
    expect(sizes).toEqual([512, 512, 276])
  })

  test('go with their request where nothing else may wait', async () => {
    const { exporter, sizes } = openExporter(good, false)
    const tasks: Promise<unknown>[] = []
    exporter.add(spans(4), (task) => void tasks.push(task))
    expect(tasks).toHaveLength(1)
    await Promise.all(tasks)
    expect(sizes).toEqual([4])
  })
})

describe('a collector', () => {
  test('that hangs has one message at a time, six times, and what there is no room for is dropped', async () => {
    const { exporter, time, sizes } = openExporter(() => new Promise(() => {}))
    exporter.add(spans(512), beside)
    await time.advance(1_000)
    for (let at = 0; at < 5; at += 1) exporter.add(spans(500), beside)
    await time.advance(3_000)
    expect(sizes).toEqual([512])
    // Whole traces: of five times five hundred three fit.
    expect(exporter.counts()).toMatchObject({ sent: 0, dropped: 1_000 })
    // Six times five seconds, and the waits between them.
    await time.advance(45_000)
    expect(sizes.slice(0, 7)).toEqual([512, 512, 512, 512, 512, 512, 512])
    expect(exporter.counts()).toMatchObject({ sent: 0, dropped: 1_512 })
    await time.advance(300_000)
    expect(exporter.counts()).toEqual({ sent: 0, dropped: 512 + 2_500, failures: 4 * 6 })
  })

  test.each([
    ['is gone', () => Promise.reject(new Error('refused'))],
    ['has too much to do', async () => new Response('', { status: 503 })],
    ['wants less', async () => new Response('', { status: 429, headers: { 'retry-after': '1' } })],
  ])('that %s for a while gets the same again, and all that came meanwhile', async (_, answer) => {
    const { exporter, time, sizes } = openExporter((call) => (call < 3 ? answer() : good()))
    exporter.add(spans(2), beside)
    await time.advance(1_000)
    exporter.add(spans(3), beside)
    await time.advance(5_000)
    expect(sizes).toEqual([2, 2, 2, 3])
    expect(exporter.counts()).toEqual({ sent: 5, dropped: 0, failures: 2 })
  })

  test('is left alone for as long as it says', async () => {
    const busy = async () => new Response('', { status: 503, headers: { 'retry-after': '20' } })
    const { exporter, time, sizes } = openExporter((call) => (call === 1 ? busy() : good()))
    exporter.add(spans(2), beside)
    await time.advance(1_000)
    exporter.add(spans(3), beside)
    await time.advance(18_000)
    expect(sizes).toEqual([2])
    await time.advance(2_000)
    expect(sizes).toEqual([2, 2, 3])
  })

  test.each([400, 401, 500])('that refuses with %d loses what it was sent, and gets the next', async (status) => {
    const { exporter, time } = openExporter((call) =>
      call === 1 ? Promise.resolve(new Response('', { status })) : good(),
    )
    exporter.add(spans(2), beside)
    await time.advance(1_000)
    exporter.add(spans(3), beside)
    await time.advance(1_000)
    expect(exporter.counts()).toEqual({ sent: 3, dropped: 2, failures: 1 })
  })

  test('that fails where nothing waits gets the spans with a later request', async () => {
    const busy = async () => new Response('', { status: 503 })
    const { exporter, time, sizes } = openExporter((call) => (call === 1 ? busy() : good()), false)
    const tasks: Promise<unknown>[] = []
    const keep = (task: Promise<unknown>) => void tasks.push(task)
    exporter.add(spans(4), keep)
    await Promise.all(tasks)
    exporter.add(spans(1), keep)
    expect(tasks).toHaveLength(1)
    await time.advance(1_000)
    exporter.add(spans(2), keep)
    await Promise.all(tasks)
    expect(sizes).toEqual([4, 4, 3])
    expect(exporter.counts()).toEqual({ sent: 7, dropped: 0, failures: 1 })
  })
})

describe('the end of the process', () => {
  test('sends what waits', async () => {
    const { exporter, sizes } = openExporter(good)
    exporter.add(spans(3), beside)
    await exporter.close()
    expect(sizes).toEqual([3])
  })

  test('waits no longer than two seconds', async () => {
    const { exporter, time } = openExporter(() => new Promise(() => {}))
    exporter.add(spans(3), beside)
    let isClosed = false
    void exporter.close().then(() => (isClosed = true))
    await time.advance(1_900)
    expect(isClosed).toBe(false)
    await time.advance(200)
    expect(isClosed).toBe(true)
  })
})
