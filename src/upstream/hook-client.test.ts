import { describe, expect, test } from 'vitest'
import type { SendRequest } from '../platform.ts'
import { callHook, type HookCall, MAX_HOOK_ANSWER_BYTES } from './hook-client.ts'

/** A platform whose only timer goes off when told to. */
function benchFor(send: SendRequest) {
  let expire: (() => void) | null = null
  const sent: { signal: AbortSignal; connectTimeoutMs: number | null }[] = []
  return {
    sent,
    expire: () => expire?.(),
    isWatching: () => expire !== null,
    platform: {
      after(_delayMs: number, task: () => void) {
        expire = task
        return () => void (expire = null)
      },
      send: ((url, init) => {
        sent.push(init)
        return send(url, init)
      }) as SendRequest,
      classifySendError: () => ({ phase: 'not_sent', reason: 'refused' }) as const,
    },
  }
}

function callWith(overrides: Partial<HookCall> = {}): HookCall {
  return {
    url: 'http://hook.test/check',
    headers: new Headers({ 'content-type': 'application/json' }),
    body: new TextEncoder().encode('{}'),
    timeoutMs: 200,
    clientSignal: new AbortController().signal,
    ...overrides,
  }
}

const never = () => new Promise<Response>(() => {})

/** A body that gives these chunks and then nothing more, ending or not. */
function bodyOf(chunks: readonly Uint8Array[], ends: boolean): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      if (ends) controller.close()
    },
  })
}

describe('callHook', () => {
  test('posts the bytes and gives the whole answer back', async () => {
    const chunks = ['{"action":', '"allow"}'].map((text) => new TextEncoder().encode(text))
    const bench = benchFor(async (url, init) => {
      expect(url).toBe('http://hook.test/check')
      expect(init).toMatchObject({ method: 'POST', connectTimeoutMs: 200 })
      expect(new TextDecoder().decode(init.body as Uint8Array)).toBe('{}')
      return new Response(bodyOf(chunks, true))
    })
    const reply = await callHook(bench.platform, callWith())
    expect(reply.kind).toBe('answer')
    expect(reply.kind === 'answer' && new TextDecoder().decode(reply.bytes)).toBe('{"action":"allow"}')
    expect(bench.isWatching()).toBe(false)
  })

  test.each([
    { what: 'headers that never come', send: never },
    {
      what: 'a body that stalls',
      send: async () => new Response(bodyOf([new TextEncoder().encode('{"action":')], false)),
    },
  ])('the deadline covers $what, and aborts the call', async ({ send }) => {
    const bench = benchFor(send)
    const reply = callHook(bench.platform, callWith())
    await Promise.resolve()
    bench.expire()
    expect(await reply).toEqual({ kind: 'timeout' })
    expect(bench.sent[0]?.signal.aborted).toBe(true)
  })

  test('a client that leaves aborts the call at once', async () => {
    const client = new AbortController()
    const bench = benchFor(never)
    const reply = callHook(bench.platform, callWith({ clientSignal: client.signal }))
    client.abort()
    expect(await reply).toEqual({ kind: 'aborted' })
    expect(bench.sent[0]?.signal.aborted).toBe(true)
    expect(bench.isWatching()).toBe(false)
  })

  test('a client that has left is not asked for', async () => {
    const bench = benchFor(never)
    expect(await callHook(bench.platform, callWith({ clientSignal: AbortSignal.abort() }))).toEqual({ kind: 'aborted' })
    expect(bench.sent).toEqual([])
  })

  test.each([301, 400, 404, 408, 429, 500, 503])('status %i is an error', async (status) => {
    const bench = benchFor(async () => new Response('{"action":"allow"}', { status }))
    expect(await callHook(bench.platform, callWith())).toEqual({ kind: 'error', why: `status ${status}` })
  })

  test('a connection that fails is an error, in a word of the platform', async () => {
    const bench = benchFor(() => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1:9001')))
    expect(await callHook(bench.platform, callWith())).toEqual({ kind: 'error', why: 'refused' })
  })

  test('an answer of the largest size is read, one byte more is not', async () => {
    const answering = (size: number) =>
      callHook(
        benchFor(async () => new Response(bodyOf([new Uint8Array(size - 1), new Uint8Array(1)], true))).platform,
        callWith(),
      )
    expect(await answering(MAX_HOOK_ANSWER_BYTES)).toMatchObject({ kind: 'answer' })
    expect(await answering(MAX_HOOK_ANSWER_BYTES + 1)).toEqual({ kind: 'error', why: 'oversized' })
  })

  test('an answer to a large body may be twice its size', async () => {
    const answer = new Uint8Array(MAX_HOOK_ANSWER_BYTES + 1)
    const bench = benchFor(async () => new Response(answer))
    const body = new Uint8Array(MAX_HOOK_ANSWER_BYTES / 2 + 1)
    expect(await callHook(bench.platform, callWith({ body }))).toMatchObject({ kind: 'answer' })
  })

  test('an answer that says it is too large is not read at all', async () => {
    let isRead = false
    const body = new ReadableStream<Uint8Array>({ pull: () => void (isRead = true) }, { highWaterMark: 0 })
    const headers = { 'content-length': String(MAX_HOOK_ANSWER_BYTES + 1) }
    const bench = benchFor(async () => new Response(body, { headers }))
    expect(await callHook(bench.platform, callWith())).toMatchObject({ kind: 'error', why: 'oversized' })
    expect(isRead).toBe(false)
  })
})
