// Vectors from a server: what is asked, what is remembered, and what becomes of every wrong answer.

import { Secret } from '../secret.ts'
import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { EmbeddingServerConfig } from '../config/config.ts'
import type { ModelBinding, SendRequest } from '../platform.ts'
import { createEmbedder } from './embeddings.ts'

const SERVER: EmbeddingServerConfig = { url: 'http://e.test', binding: null, model: 'm', apiKey: new Secret('sk-1') }
const OPTIONS = { signal: new AbortController().signal, budgetMs: 500 }

interface Asked {
  readonly url: string
  readonly key: string | null
  readonly body: { readonly model?: string; readonly input: readonly string[] }
}

type Answer = (texts: readonly string[]) => unknown

/** A vector that points where the text's length says. */
const vectorOf = (text: string, size = 2) => Array.from({ length: size }, (_, at) => (at === 0 ? text.length : 1))
const listOf: Answer = (texts) => ({ data: texts.map((text, index) => ({ index, embedding: vectorOf(text) })) })

function bench(server: Partial<EmbeddingServerConfig> = {}, bindings: Readonly<Record<string, ModelBinding>> = {}) {
  const clock = createFakeClock()
  const asked: Asked[] = []
  let answer: Answer | 'never' | Response = listOf
  const send: SendRequest = async (url, { headers, body }) => {
    const read: Asked['body'] = JSON.parse(new TextDecoder().decode(body as Uint8Array))
    asked.push({ url, key: new Headers(headers).get('authorization'), body: read })
    if (answer === 'never') return new Promise(() => {})
    return answer instanceof Response ? answer.clone() : Response.json(answer(read.input))
  }
  const embedder = createEmbedder(
    { ...SERVER, ...server },
    {
      ...clock,
      send,
      classifySendError: () => ({ phase: 'not_sent', reason: 'refused' }),
      modelBinding: (name) => bindings[name] ?? null,
    },
  )
  return { embedder, asked, clock, give: (next: typeof answer) => void (answer = next) }
}

async function vectorsOf(bed: ReturnType<typeof bench>, texts: readonly string[]): Promise<number[][]> {
  const answer = await bed.embedder.embed(texts, OPTIONS)
  if (answer.kind === 'failure') throw new Error(`${answer.reason}: ${answer.why}`)
  return answer.vectors.map((vector) => [...vector])
}

const unit = (...values: number[]) => values.map((value) => Math.fround(value / Math.hypot(...values)))

describe('what is asked', () => {
  test('each text once, with model and key, and never again', async () => {
    const bed = bench()
    expect(await vectorsOf(bed, ['a', 'bb', 'a'])).toEqual([unit(1, 1), unit(2, 1), unit(1, 1)])
    expect(bed.asked).toEqual([
      { url: 'http://e.test/v1/embeddings', key: 'Bearer sk-1', body: { model: 'm', input: ['a', 'bb'] } },
    ])
    expect(await bed.embedder.embed(['bb'], OPTIONS)).toMatchObject({ kind: 'vectors', isCached: true })
    expect(await vectorsOf(bed, ['ccc', 'a'])).toEqual([unit(3, 1), unit(1, 1)])
    expect(bed.asked.map(({ body }) => body.input)).toEqual([['a', 'bb'], ['ccc']])
  })

  test('many texts in batches', async () => {
    const bed = bench()
    const texts = Array.from({ length: 70 }, (_, at) => 'x'.repeat(at + 1))
    expect(await vectorsOf(bed, texts)).toEqual(texts.map((text) => unit(text.length, 1)))
    expect(bed.asked.map(({ body }) => body.input.length)).toEqual([32, 32, 6])
  })

  test.each([
    ['http://e.test/', 'http://e.test/v1/embeddings'],
    ['http://e.test/v1', 'http://e.test/v1/embeddings'],
    ['http://e.test/v1/embeddings', 'http://e.test/v1/embeddings'],
    ['http://e.test/openai', 'http://e.test/openai/v1/embeddings'],
  ])('%s is asked at %s', async (url, at) => {
    const bed = bench({ url })
    await vectorsOf(bed, ['a'])
    expect(bed.asked[0]?.url).toBe(at)
  })

  test('a binding in the place of a server', async () => {
    const runs: unknown[] = []
    const run: ModelBinding['run'] = async (model, input) => {
      runs.push([model, input])
      return { shape: [1, 2], data: [[3, 4]] }
    }
    const bed = bench({ url: null, binding: 'AI', model: '@cf/baai/bge-m3' }, { AI: { run } })
    expect(await vectorsOf(bed, ['a'])).toEqual([unit(3, 4)])
    expect(runs).toEqual([['@cf/baai/bge-m3', { text: ['a'] }]])
    const without = bench({ url: null, binding: 'AI' })
    expect(await without.embedder.embed(['a'], OPTIONS)).toMatchObject({ reason: 'unreachable' })
  })

  test('what is remembered is bounded by bytes', async () => {
    const bed = bench()
    const size = 65_536
    bed.give((texts) => ({ data: texts.map((text, index) => ({ index, embedding: vectorOf(text, size) })) }))
    for (let length = 1; length <= 40; length += 1) await vectorsOf(bed, ['x'.repeat(length)])
    await vectorsOf(bed, ['x'.repeat(40)])
    expect(bed.asked).toHaveLength(40)
    // 8 MiB are 32 of them: the first has made room.
    await vectorsOf(bed, ['x'])
    expect(bed.asked).toHaveLength(41)
  })
})

describe('answers', () => {
  test('base64, in any order', async () => {
    const bed = bench()
    const base64 = (values: number[]) => btoa(String.fromCharCode(...new Uint8Array(Float32Array.from(values).buffer)))
    bed.give(() => ({
      data: [
        { index: 1, embedding: base64([0, 2]) },
        { index: 0, embedding: base64([3, 4]) },
      ],
    }))
    expect(await vectorsOf(bed, ['a', 'b'])).toEqual([unit(3, 4), [0, 1]])
  })

  test.each<[string, unknown]>([
    ['too few', { data: [{ index: 0, embedding: [1, 2] }] }],
    ['one text twice', { data: [1, 1].map(() => ({ index: 0, embedding: [1, 2] })) }],
    [
      'of two lengths',
      {
        data: [
          [1, 2],
          [1, 2, 3],
        ].map((embedding, index) => ({ index, embedding })),
      },
    ],
    [
      'without a direction',
      {
        data: [
          [0, 0],
          [1, 2],
        ].map((embedding, index) => ({ index, embedding })),
      },
    ],
    ['empty', { data: [[], []].map((embedding, index) => ({ index, embedding })) }],
    ['of text', { data: [['1'], ['2']].map((embedding, index) => ({ index, embedding })) }],
    ['no numbers', { data: [[null], [1]].map((embedding, index) => ({ index, embedding })) }],
    ['no base64', { data: ['?', '??'].map((embedding, index) => ({ index, embedding })) }],
    ['an error', { error: 'out of memory' }],
    ['a number', 7],
    ['nothing', null],
  ])('%s: a bad answer, and nothing of it is kept', async (_, answer) => {
    const bed = bench()
    bed.give(() => answer)
    expect(await bed.embedder.embed(['a', 'b'], OPTIONS)).toMatchObject({ kind: 'failure', reason: 'bad_answer' })
    bed.give(listOf)
    expect(await vectorsOf(bed, ['a', 'b'])).toHaveLength(2)
  })

  test('of another length than before: what the other model gave is forgotten', async () => {
    const bed = bench()
    await vectorsOf(bed, ['a'])
    bed.give((texts) => ({ data: texts.map((text, index) => ({ index, embedding: vectorOf(text, 3) })) }))
    expect(await bed.embedder.embed(['a', 'b'], OPTIONS)).toMatchObject({ reason: 'bad_answer' })
    expect((await vectorsOf(bed, ['a', 'b'])).map(({ length }) => length)).toEqual([3, 3])
  })

  test('late, refused, failed: in a word, and behind a breaker', async () => {
    const bed = bench()
    bed.give('never')
    const late = bed.embedder.embed(['a'], OPTIONS)
    while (bed.clock.pending() === 0) await new Promise((resolve) => setImmediate(resolve))
    bed.clock.advance(500)
    expect(await late).toEqual({ kind: 'failure', reason: 'timeout', why: 'no whole answer in 500 ms' })
    // What is said of the text is nothing against the server.
    for (let count = 0; count < 10; count += 1) {
      bed.give(Response.json({ error: 'too long' }, { status: 400 }))
      expect(await bed.embedder.embed(['a'], OPTIONS)).toMatchObject({ reason: 'refused', why: 'status 400' })
    }
    for (let count = 0; count < 5; count += 1) {
      bed.give(new Response(null, { status: 503 }))
      expect(await bed.embedder.embed(['a'], OPTIONS)).toMatchObject({ reason: 'unreachable', why: 'status 503' })
    }
    const before = bed.asked.length
    bed.give(listOf)
    expect(await bed.embedder.embed(['a'], OPTIONS)).toMatchObject({ reason: 'breaker_open' })
    expect(bed.asked).toHaveLength(before)
    bed.clock.advance(10_000)
    expect(await vectorsOf(bed, ['a'])).toHaveLength(1)
  })

  test('a caller that leaves is nothing against the server', async () => {
    const bed = bench()
    bed.give('never')
    for (let count = 0; count < 10; count += 1) {
      const controller = new AbortController()
      const asked = bed.embedder.embed(['a'], { signal: controller.signal, budgetMs: 500 })
      controller.abort()
      expect(await asked).toMatchObject({ reason: 'aborted' })
    }
  })
})
