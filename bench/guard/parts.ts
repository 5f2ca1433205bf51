// The parts that are watched: one task each, and the reference that it is held against.

import { parseJsonBody } from '../../src/dialect/json-body.ts'
import { createStreamTap } from '../../src/dialect/stream-tap.ts'
import { explain } from '../../src/explain/explain.ts'
import { MetricStore } from '../../src/observe/metrics/metric-store.ts'
import { createRequestMetrics } from '../../src/observe/metrics/request-metrics.ts'
import { setRoutingHeaders } from '../../src/pipeline/routing-headers.ts'
import { toRecord } from '../../src/pipeline/record.ts'
import { toViewDocument } from '../../src/record/view-document.ts'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import { toClientHeaders, toWorkerHeaders } from '../../src/upstream/headers.ts'
import { configOf } from '../../test/support/decided-log.ts'
import { recordOf } from '../../test/support/recorded-exchange.ts'
import { configText } from '../in-process/config-loader.ts'
import { decideTask } from '../in-process/decide.ts'
import { replayLine } from '../in-process/record.ts'
import { cycle, exchangesOf, linesOf, RECORDED_MODEL, recordedWorkers } from '../in-process/records.ts'
import { loadNamed } from '../loads.ts'
import { context, createStubbedRouter, light } from '../stubbed-router.ts'
import { STREAM_EVENTS } from '../upstream/answers.ts'
import type { ReferenceName } from './reference.ts'

export interface Part {
  readonly name: string
  readonly reference: ReferenceName
  readonly task: () => void | Promise<unknown>
}

const END = { status: 200, streamEnd: 'complete', errorCode: null, atMs: 1_790_000_000_000, viewHash: null } as const

export async function watchedParts(): Promise<{ readonly parts: readonly Part[]; close(): void }> {
  const exchanges = exchangesOf(64)
  const config = await configOf(configText({ workers: 8, models: 2 }))
  // What their metrics and headers are read off, too.
  for (const exchange of exchanges) Object.assign(exchange, { config })
  const [nextExchange, nextLine] = [cycle(exchanges), cycle(linesOf(exchanges))]
  const { router, close } = await createStubbedRouter(light)
  const { body } = loadNamed('chat-2kb')
  const parts: Part[] = [
    { name: 'scan', reference: 'bytes', task: scanTask() },
    ...Array.from(BUILT_IN_POLICIES, ([name, definition]): Part => {
      return { name: `decide:${name}`, reference: 'lookups', task: decideTask(definition, 64) }
    }),
    { name: 'headers', reference: 'json', task: headersTask(config.workers[0], nextExchange) },
    { name: 'record', reference: 'json', task: () => void JSON.stringify(toRecord(nextExchange(), 'd', END)) },
    { name: 'replay', reference: 'json', task: () => replayLine(nextLine()) },
    { name: 'relay', reference: 'bytes', task: relayTask() },
    { name: 'metrics', reference: 'lookups', task: metricsTask(nextExchange) },
    { name: 'explain', reference: 'json', task: explainTask(exchanges.map((exchange) => recordOf(exchange))) },
    {
      name: 'pipeline',
      reference: 'json',
      async task() {
        const answer = await router.fetch(light.request(body), context)
        if (answer.status !== 200) throw new Error(`answered ${answer.status}`)
      },
    },
  ]
  return { parts, close }
}

function scanTask(): () => void {
  const bytes = Uint8Array.from(loadNamed('chat-64kb').body)
  return () => void parseJsonBody(bytes)
}

function headersTask(
  worker: Parameters<typeof toWorkerHeaders>[1]['worker'] | undefined,
  nextExchange: () => Parameters<typeof setRoutingHeaders>[1],
): () => void {
  if (worker === undefined) throw new Error('the configuration has no worker')
  const incoming = new Headers({
    'user-agent': 'OpenAI/Python 1.99.0',
    accept: 'application/json',
    authorization: 'Bearer sk-no-key-needed',
    'content-type': 'application/json',
    'content-length': '2048',
  })
  const options = { worker, rank: null, requestId: 'r', cluster: null, changes: null, traceparent: null, forward: [] }
  return () => {
    const sent = toWorkerHeaders(incoming, options)
    const answer = toClientHeaders({ get: (name) => sent[name] ?? null })
    setRoutingHeaders(answer, nextExchange())
  }
}

function relayTask(): () => void {
  return () => {
    const tap = createStreamTap('chat')
    for (const event of STREAM_EVENTS) tap.push(event)
    if (tap.end().outcome !== 'complete') throw new Error('the stream was not complete')
  }
}

function metricsTask(nextExchange: () => Parameters<typeof recordOf>[0]): () => void {
  const metrics = createRequestMetrics(new MetricStore(), () => true)
  const exchange = nextExchange()
  const record = recordOf(exchange)
  return () => metrics.recordClosed(record, null, exchange)
}

function explainTask(records: readonly ReturnType<typeof recordOf>[]): () => void {
  const view = toViewDocument({ candidates: recordedWorkers })
  const nextRecord = cycle(records)
  return () => {
    const { sentences } = explain({ record: nextRecord(), view, dryRun: null }, recordedWorkers[1]?.id ?? null)
    if (!sentences.some((sentence) => sentence.includes(RECORDED_MODEL))) throw new Error(sentences.join('\n'))
  }
}
