// What a request knows of caches on its way through the pipeline: of the model that is decided on, with a backlog that is
// exact however requests end.

import { describe, expect, test } from 'vitest'
import { inProcessRouter, sendFailure, type UpstreamCall } from '../../test/support/in-process-router.ts'
import type { Platform } from '../platform.ts'
import type { DecisionRecord } from '../record/schema.ts'
import { writePrompt } from '../routing/prompt-blocks.ts'
import { PromptCaches } from '../store/prompt-caches.ts'
import type { FleetMirror } from '../store/fleet-mirror.ts'
import type { SharedPrefixes } from '../store/shared-prefixes.ts'
import { RequestTrace } from '../tracing/request-trace.ts'
import type { Exchange } from './exchange.ts'
import { askOthers, RequestPrompt } from './prefix-facts.ts'

const POOL = `
workers:
  - {id: a, url: "http://a", models: [m, n]}
  - {id: b, url: "http://b", models: [m, n]}
`
const AWARE = `${POOL}policy: {type: cache_aware, block_bytes: 256}\n`

const says = (word: string) => [{ role: 'user', content: `${word} `.repeat(Math.ceil(4_000 / (word.length + 1))) }]

type Respond = (call: UpstreamCall) => Promise<Response>

const ok: Respond = async () =>
  Response.json({ id: 'x', usage: { prompt_tokens: 1_000, completion_tokens: 1, total_tokens: 1_001 } })

async function rig(settings = '', respond: Respond = ok) {
  let answer = respond
  const router = await inProcessRouter(AWARE + settings, (call) => answer(call))
  return {
    ...router,
    answerWith: (next: Respond) => (answer = next),
    async ask(word: string, body: object = {}, init?: RequestInit): Promise<DecisionRecord> {
      await router.chat({ model: 'm', messages: says(word), ...body }, init)
      await new Promise(setImmediate)
      const last = router.records().at(-1)
      if (last === undefined) throw new Error('no record')
      return last
    },
  }
}

const held = (record: DecisionRecord) => Object.keys(record.prefix?.cached ?? {})

describe('which model', () => {
  test('the one that is decided on: that of a chain whose turn it is', async () => {
    const rules = 'model_rules: [{match: chain, fallback: [m, n], on_failure: true}]\nretry: {max_retries: 2}\n'
    const { ask, answerWith } = await rig(rules)
    const first = await ask('fox', { model: 'n' })
    expect(first.cached_tokens?.predicted).toBe(0)
    const asked: string[] = []
    answerWith(async (call) => {
      const model = String(JSON.parse(new TextDecoder().decode(call.body as Uint8Array)).model) // bodies of chats are bytes
      asked.push(model)
      return model === 'm' ? new Response('no', { status: 500 }) : ok(call)
    })
    const second = await ask('fox', { model: 'chain' })
    expect(asked).toEqual(['m', 'n'])
    expect(second).toMatchObject({ model: 'n', status: 200 })
    expect(held(second)).toEqual([first.worker])
  })

  test('where nothing is known of a model, the prompt of another is no match', async () => {
    const { ask } = await rig()
    await ask('fox', { model: 'n' })
    expect(held(await ask('fox', { model: 'm' }))).toEqual([])
    expect(held(await ask('fox', { model: 'n' }))).toHaveLength(1)
  })
})

describe('what an attempt leaves behind', () => {
  const busy = ({ prefix }: DecisionRecord) => prefix?.backlog

  test.each([
    ['an answer', ok, true],
    ['a refusal', async () => new Response('no', { status: 400 }), false],
    ['an error', async () => new Response('no', { status: 500 }), false],
    [
      'a worker that is not there',
      async () => {
        throw sendFailure('not_sent', 'refused')
      },
      false,
    ],
    [
      'a connection that breaks',
      async () => {
        throw sendFailure('maybe_sent', 'reset')
      },
      false,
    ],
  ] as const)('%s', async (_, respond, isHeld) => {
    const { ask, answerWith } = await rig('retry: {max_retries: 0}\n', respond)
    await ask('fox')
    answerWith(ok)
    const next = await ask('fox')
    expect(held(next)).toHaveLength(isHeld ? 1 : 0)
    expect(busy(next)).toBeUndefined()
  })

  test('a retry is decided by what is known then, and its worker holds the prompt', async () => {
    const { ask, answerWith } = await rig()
    let calls = 0
    answerWith(async (call) => {
      calls += 1
      if (calls === 1) throw sendFailure('not_sent', 'refused')
      return ok(call)
    })
    const first = await ask('fox')
    expect(first.attempts).toHaveLength(2)
    const next = await ask('fox')
    expect(held(next)).toEqual([first.worker])
    expect(next.worker).toBe(first.worker)
  })

  test('a stream waits to be prefilled until its first byte, and one that is left no longer', async () => {
    const { ask, answerWith, chat } = await rig()
    let start: (response: Response) => void = () => {}
    answerWith((call) => {
      return new Promise((resolve, reject) => {
        start = resolve
        call.signal?.addEventListener('abort', () => reject(new Error('gone')))
      })
    })
    const stream = chat({ model: 'm', messages: says('cat'), stream: true })
    await new Promise(setImmediate)
    answerWith(ok)
    const during = await ask('dog')
    expect(Object.values(busy(during) ?? {})).toHaveLength(1)
    start(
      new Response('data: {"choices":[]}\n\ndata: [DONE]\n\n', { headers: { 'content-type': 'text/event-stream' } }),
    )
    await stream
    expect(busy(await ask('hen'))).toBeUndefined()

    const leave = new AbortController()
    answerWith(
      (call) => new Promise((_, reject) => call.signal?.addEventListener('abort', () => reject(new Error('gone')))),
    )
    const left = chat({ model: 'm', messages: says('cow'), stream: true }, { signal: leave.signal })
    await new Promise(setImmediate)
    leave.abort()
    await left
    answerWith(ok)
    expect(busy(await ask('pig'))).toBeUndefined()
  })
})

describe('what is not asked', () => {
  test('a policy that does not care costs nothing, and its records say nothing', async () => {
    const { chat, records } = await inProcessRouter(`${POOL}policy: least_load\n`, ok)
    await chat({ model: 'm', messages: says('fox') })
    expect(records().at(-1)).not.toHaveProperty('prefix')
    expect(records().at(-1)?.cached_tokens).toBeUndefined()
  })

  test('a request without a prompt, or one that nothing is generated for', async () => {
    const { ask, post, records } = await rig()
    expect(await ask('fox', { messages: [] })).not.toHaveProperty('prefix')
    const headers = { 'content-type': 'application/json' }
    await post('/v1/embeddings', { headers, body: JSON.stringify({ model: 'm', input: 'fox '.repeat(1_000) }) })
    expect(records().at(-1)).toMatchObject({ policy: 'cache_aware', status: 200 })
    expect(records().at(-1)).not.toHaveProperty('prefix')
  })
})

test('no word of a prompt is in any record', async () => {
  const { ask, records } = await rig()
  await ask('SECRETWORD')
  await ask('SECRETWORD')
  expect(JSON.stringify(records())).not.toContain('SECRETWORD')
})

describe('what others say', () => {
  const written = writePrompt({ prompt: 'fox '.repeat(1_000) })

  function prompted(find: SharedPrefixes['find'], tracing: Exchange['tracing'] = null) {
    const told: string[] = []
    const asked: (readonly string[])[] = []
    const sharedPrefixes: SharedPrefixes = {
      find(keys, signal) {
        asked.push(keys)
        return find(keys, signal)
      },
      note: (keys, candidateId) => void told.push(`${candidateId} ${keys.length}`),
      written: () => told.length,
    }
    const parts = {
      platform: { now: () => 0 } as Platform, // nothing else is used
      promptCaches: new PromptCaches(),
      sharedPrefixes,
      mirror: { takes: (id: string) => id !== 'gone' } as FleetMirror, // nothing else is used
    }
    if (written === null) throw new Error('no prompt')
    const needs = { blockBytes: 512, prefillMsPerToken: 0.2 }
    const prompt = new RequestPrompt(parts, { needs, written, streams: true, api: '/v1/chat/completions' })
    const exchange: Pick<Exchange, 'model' | 'steps' | 'tracing'> = { model: 'm', steps: [], tracing }
    const ask = () => askOthers(parts, prompt, { exchange, signal: new AbortController().signal })
    return { prompt, exchange, ask, told, asked }
  }

  test('is asked within a span of the request that waits for it, unless nobody has to be asked', async () => {
    for (const [outcome, spans] of [
      ['ok', 1],
      ['timeout', 1],
      ['not_asked', 0],
    ] as const) {
      let nowMs = 5
      const open = { now: () => nowMs, random: Math.random, traceId: '1'.repeat(32), parentSpanId: null }
      const trace = new RequestTrace({ ...open, traceState: null, isSampled: true }, 'POST')
      const { ask } = prompted(async () => ({ hint: null, outcome }), trace)
      await ask()
      nowMs = 9
      const [root, ...calls] = trace.end(null)
      expect(calls).toHaveLength(spans)
      for (const call of calls) {
        const attributes = { 'vllm.router.store_call': 'read_prefix_hints', 'vllm.router.outcome': outcome }
        const error = outcome === 'ok' ? null : outcome
        expect(call).toMatchObject({ name: 'store.call', parentSpanId: root?.spanId, attributes, error })
      }
    }
  })

  test('is asked for where nobody is known here, and counts for that model alone', async () => {
    const { prompt, exchange, ask, asked } = prompted(async () => ({
      hint: { candidateId: 'b', blocks: 3 },
      outcome: 'ok',
    }))
    await ask()
    expect(asked.map(({ length }) => length)).toEqual([7])
    expect(prompt.factFor('m').cachedTokens).toEqual({ b: 384 })
    expect(prompt.factFor('n').cachedTokens).toEqual({})
    expect(exchange.steps).toEqual([{ step: 'shared_prefix', outcome: 'ok', ms: 0 }])
  })

  test('is stale where it names a worker that takes no requests', async () => {
    const { exchange, ask } = prompted(async () => ({ hint: { candidateId: 'gone', blocks: 3 }, outcome: 'ok' }))
    await ask()
    expect(exchange.steps).toEqual([{ step: 'shared_prefix', outcome: 'stale', ms: 0 }])
  })

  test('is not asked for again once an attempt has begun here', async () => {
    const { prompt, exchange, ask, told } = prompted(async () => ({ hint: null, outcome: 'miss' }))
    await ask()
    expect(exchange.steps).toEqual([{ step: 'shared_prefix', outcome: 'miss', ms: 0 }])
    prompt.begin('m', 'a', prompt.factFor('m'))
    expect(ask()).toBeNull()
    prompt.tellOthers('m', 'a', () => {})
    expect(told).toEqual(['a 7'])
  })
})
