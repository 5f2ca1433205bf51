// The spans of what a request waits for before its decision: caches, vectors, signals, LMCache. Whoever is asked continues
// the span of the question.

import { afterAll, describe, expect, test } from 'vitest'
import { type RuntimeName, until } from '../support/launch.ts'
import {
  type OtlpReceiver,
  outline,
  type ReceivedSpan,
  type SpanTree,
  startOtlpReceiver,
} from '../support/otlp-receiver.ts'
import { countedLmcache, countedLookups } from './counted-kinds.ts'
import { lmcacheBench, promptOf } from './lmcache-bench.ts'
import { lookupFleet } from './lookup-fleet.ts'
import { NAMES } from './routing-bench.ts'

const CHAT = '/v1/chat/completions'
const FORWARD = '  routing.decide\n  worker.forward\n    worker.attempt'
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CALLER = `00-${TRACE}-b7ad6b7169203331-01`

/** Two ways to ask one thing. */
const ASKED = 'How do I reset the password of my account?'
const REWORDED = 'How is it that I reset the password of the account?'
const MATHS = 'Solve this equation: what is the derivative of the polynomial x squared?'

export function traceLookupsConformance(runtime: RuntimeName): void {
  describe(`spans of caches, clusters and signals on ${runtime}`, () => {
    const { fleet, collector, server, chat } = lookupFleet(runtime, { isTraced: true })
    const treeOf = async (text: string, more: object) => collector().treeOf(await chat(text, more))

    test('an answer that the exact cache has', async () => {
      const body = { temperature: 0 }
      const missed = await treeOf('exactly this', body)
      expect(outline(missed)).toBe(
        `POST ${CHAT}\n  cache.exact_lookup\n  cache.semantic_lookup\n    embedding.fetch\n` +
          `  routing.cluster\n    embedding.fetch\n${FORWARD}`,
      )
      expect(spanOf(missed, 'cache.exact_lookup').attributes).toMatchObject({ 'cache.status': 'miss' })
      const hit = await treeOf('exactly this', body)
      expect(outline(hit)).toBe(`POST ${CHAT}\n  cache.exact_lookup`)
      expect(spanOf(hit, 'cache.exact_lookup').attributes).toMatchObject({
        'cache.status': 'hit',
        'cache.backend': 'memory',
      })
      expect(hit.span.attributes).toMatchObject({ 'vllm.router.method': 'cache-hit', 'vllm.router.attempts': 0 })
    })

    test('an answer to a question that means the same', async () => {
      await treeOf(ASKED, { temperature: 0 })
      const tree = await treeOf(REWORDED, { temperature: 0 })
      expect(outline(tree)).toBe(`POST ${CHAT}\n  cache.exact_lookup\n  cache.semantic_lookup\n    embedding.fetch`)
      expect(spanOf(tree, 'cache.semantic_lookup').attributes).toMatchObject({
        'cache.status': 'hit',
        'cache.similarity': expect.any(Number),
      })
      expect(tree.span.attributes['vllm.router.method']).toBe('semantic-hit')
    })

    test('a request near a cluster, whose vector is asked for within its trace', async () => {
      let tree = await treeOf(MATHS, {})
      // The examples' vectors are computed beside the first requests.
      await until(
        async () => {
          tree = await treeOf(`${MATHS} ${performance.now()}`, {})
          return spanOf(tree, 'routing.cluster').attributes['routing.cluster'] === 'maths'
        },
        30_000,
        () => JSON.stringify(spanOf(tree, 'routing.cluster').attributes),
      )
      expect(outline(tree)).toBe(`POST ${CHAT}\n  routing.cluster\n    embedding.fetch\n${FORWARD}`)
      expect(tree.span.attributes['vllm.router.method']).toBe('cluster')
      const fetched = spanOf(tree, 'embedding.fetch')
      expect(fetched).toMatchObject({ kind: 3, error: null, attributes: { 'embedding.success': true } })
      expect(
        server()
          .questions('/v1/embeddings')
          .map(({ traceparent }) => traceparent),
      ).toContain(continued(fetched))
    })

    test('signals, whose servers are asked within their span', async () => {
      const tree = await treeOf(`signals ${MATHS}`, { model: 'auto' })
      expect(outline(tree)).toBe(
        `POST ${CHAT}\n  signals.evaluate\n    embedding.fetch\n  routing.cluster\n    embedding.fetch\n${FORWARD}`,
      )
      const signals = spanOf(tree, 'signals.evaluate')
      expect(signals.attributes).toMatchObject({
        'vllm.router.signals.asked': 2,
        'vllm.router.signals.matched': expect.anything(),
      })
      expect(
        server()
          .questions('/classify')
          .map(({ traceparent }) => traceparent),
      ).toEqual([continued(signals)])
    })

    test('a server of vectors that fails is an error of its span, and of no other', async () => {
      server().behave('status-500')
      const tree = await treeOf('something that nobody has asked before', {})
      server().behave('well')
      expect(outline(tree)).toBe(
        `POST ${CHAT}\n  routing.cluster (unreachable)\n    embedding.fetch (unreachable)\n${FORWARD}`,
      )
      expect(spanOf(tree, 'embedding.fetch').error).toBe('unreachable')
      expect(tree.span.error).toBeNull()
    })

    countedLookups({ fleet, chat })

    test('no text of a request, an example or a key is in any', async () => {
      const all = Buffer.concat(collector().messages.map(({ bytes }) => bytes)).toString('latin1')
      for (const text of ['password', 'polynomial', 'derivative', 'sk-vectors']) expect(all).not.toContain(text)
      expect(fleet.router.output()).not.toContain('sk-vectors')
    })
  })

  describe(`services without traces on ${runtime}`, () => {
    const { server, chat } = lookupFleet(runtime, { isTraced: false })

    test('get the context of the caller as it came', async () => {
      await chat(MATHS, {}, { traceparent: CALLER, tracestate: 'vendor=x', baggage: 'user=1' })
      expect(
        server()
          .questions('/v1/embeddings')
          .map(({ traceparent }) => traceparent),
      ).toContain(CALLER)
    })
  })

  describe(`spans of LMCache lookups on ${runtime}`, () => {
    let receiver: OtlpReceiver | null = null
    const bench = lmcacheBench(runtime, {
      async config() {
        receiver = await startOtlpReceiver()
        return { trace_config: { otlp_traces_endpoint: receiver.url }, metrics: { public: true } }
      },
    })
    afterAll(() => receiver?.close())
    const treeOf = (requestId: unknown): Promise<SpanTree> => {
      if (receiver === null) throw new Error('it has not started')
      return receiver.treeOf(String(requestId))
    }

    test('a prompt is tokenised and looked up, both within its trace', async () => {
      const prompt = promptOf('traced', 3)
      await bench.warm(prompt)
      const { record, method } = await bench.chat(prompt)
      expect(method).toBe('lmcache-prefix')
      const tree = await treeOf(record['request_id'])
      expect(outline(tree)).toBe(`POST ${CHAT}\n  lmcache.tokenize\n  lmcache.lookup\n${FORWARD}`)
      const [tokenized, looked] = [spanOf(tree, 'lmcache.tokenize'), spanOf(tree, 'lmcache.lookup')]
      expect(looked).toMatchObject({ kind: 3, error: null, attributes: { 'vllm.router.outcome': 'ok' } })
      // Span and record say the same.
      const outcomes = { tokenize: outcomeOf(tokenized), lookup: outcomeOf(looked) }
      expect(record['steps']).toEqual(
        expect.arrayContaining(
          Object.entries(outcomes).map(([step, outcome]) => expect.objectContaining({ step, outcome })),
        ),
      )
      const asked = (requests: readonly { readonly headers: Readonly<Record<string, string>> }[]) =>
        requests.map(({ headers }) => headers['traceparent'])
      expect(asked(NAMES.flatMap((name) => bench.fleet.worker(name).state().requests))).toContain(continued(tokenized))
      expect(asked(bench.controller().state().requests)).toContain(continued(looked))
    })

    countedLmcache(bench)

    test('a control plane that fails is an error of its span', async () => {
      await bench.controller().setFaults({ status: 500, path: '/lookup' })
      const { record, status } = await bench.chat(promptOf('failed', 3))
      await bench.controller().setFaults([])
      expect(status).toBe(200)
      const tree = await treeOf(record['request_id'])
      expect(spanOf(tree, 'lmcache.lookup').error).toBe('unreachable')
      expect(tree.span.error).toBeNull()
      // It is written with the next lines, at debug with whole records.
      const { router } = bench.fleet
      const inLog = () =>
        router.output().includes('"event":"lmcache_failed"') && router.output().includes('"step":"lookup"')
      await until(inLog, 10_000, () => `no lookup in:\n${router.output().slice(-4_000)}`)
      for (const word of ['traced0', 'counted10', 'failed0', 'failed1']) expect(router.output()).not.toContain(word)
    })
  })
}

const continued = ({ traceId, spanId }: ReceivedSpan) => `00-${traceId}-${spanId}-01`
const outcomeOf = ({ attributes }: ReceivedSpan) => attributes['vllm.router.outcome']

/** The first of this name. */
function spanOf(tree: SpanTree, name: string): ReceivedSpan {
  const found = allOf(tree).find((span) => span.name === name)
  if (found === undefined) throw new Error(`no ${name} in\n${outline(tree)}`)
  return found
}

function allOf({ span, below }: SpanTree): readonly ReceivedSpan[] {
  return [span, ...below.flatMap(allOf)]
}
