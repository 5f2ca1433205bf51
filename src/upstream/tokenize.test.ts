// Token ids from workers: which route is asked, with what, and what is remembered of those that don't have it.

import { Secret } from '../secret.ts'
import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { SendRequestInit } from '../platform.ts'
import { createTokenizer, readIds } from './tokenize.ts'

interface Call {
  readonly url: string
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

/** Workers that answer what `answer` says; null for one that never does. */
function rig(answer: (call: Call) => Response | null, bindings: Readonly<Record<string, true>> = {}) {
  const clock = createFakeClock()
  const calls: Call[] = []
  const ask = async (url: string, headers: Headers, text: string): Promise<Response> => {
    const call = { url, headers, body: JSON.parse(text) }
    calls.push(call)
    return answer(call) ?? new Promise<never>(() => {})
  }
  const tokenizer = createTokenizer({
    now: clock.now,
    after: clock.after,
    send: (url, { headers, body }: SendRequestInit) =>
      ask(url, new Headers(headers), new TextDecoder().decode(body as Uint8Array)),
    binding: (name) =>
      name in bindings
        ? { fetch: async (request) => ask(`${name}:${request.url}`, request.headers, await request.text()) }
        : null,
    classifySendError: () => ({ phase: 'maybe_sent', reason: 'network' }),
  })
  const worker = { id: 'a', url: 'http://a:8000', apiKey: new Secret('k'), binding: null as string | null }
  const tokenize = (fields: object, given: object = {}) =>
    tokenizer.tokenize({
      worker: { ...worker, ...given },
      model: 'm',
      fields: { ...fields },
      timeoutMs: 100,
      signal: new AbortController().signal,
    })
  return { clock, calls, tokenizer, tokenize, paths: () => calls.map(({ url }) => url.replace('http://a:8000', '')) }
}

const CHAT = { messages: [{ role: 'user', content: 'Hi' }] }
const noRender = ({ url }: Call) =>
  url.endsWith('/render') ? new Response(null, { status: 404 }) : Response.json({ count: 2, tokens: [1, 2] })

describe('a worker that renders', () => {
  test('is asked nothing else', async () => {
    const { tokenize, paths, calls } = rig(() => Response.json({ token_ids: [7, 8], features: null }))
    expect(await tokenize(CHAT)).toEqual({ kind: 'answer', answer: [7, 8] })
    expect(paths()).toEqual(['/v1/chat/completions/render'])
    expect(calls[0]?.body).toEqual({ model: 'm', ...CHAT, return_mm_kwargs: false })
    expect(calls[0]?.headers.get('authorization')).toBe('Bearer k')
  })

  test('gives one of each prompt', async () => {
    const { tokenize, paths } = rig(() => Response.json([{ token_ids: [7] }]))
    expect(await tokenize({ prompt: 'Hi' })).toEqual({ kind: 'answer', answer: [7] })
    expect(paths()).toEqual(['/v1/completions/render'])
  })
})

describe('a worker that does not', () => {
  test('is asked once whether it does, and tokenises', async () => {
    const { clock, tokenize, paths, calls } = rig(noRender)
    for (let round = 0; round < 3; round += 1) expect(await tokenize(CHAT)).toEqual({ kind: 'answer', answer: [1, 2] })
    expect(paths()).toEqual(['/v1/chat/completions/render', '/tokenize', '/tokenize', '/tokenize'])
    expect(calls[1]?.body).toEqual({ model: 'm', ...CHAT })
    // It may have been updated since.
    clock.advance(600_000)
    await tokenize(CHAT)
    expect(paths().slice(4)).toEqual(['/v1/chat/completions/render', '/tokenize'])
  })

  test('says nothing of other workers', async () => {
    const { tokenize, paths } = rig(noRender)
    await tokenize(CHAT)
    await tokenize(CHAT, { id: 'b' })
    expect(paths().filter((path) => path.endsWith('/render'))).toHaveLength(2)
  })

  test('is reached through its binding', async () => {
    const { tokenize, calls } = rig(noRender, { GPU: true })
    expect(await tokenize(CHAT, { binding: 'GPU' })).toMatchObject({ kind: 'answer' })
    expect(calls.map(({ url }) => url)).toEqual([
      'GPU:http://a:8000/v1/chat/completions/render',
      'GPU:http://a:8000/tokenize',
    ])
    expect(await tokenize(CHAT, { id: 'c', binding: 'GONE' })).toMatchObject({ kind: 'failure', reason: 'unreachable' })
  })
})

describe('a worker that fails', () => {
  test('is left alone after five times', async () => {
    const { tokenizer, tokenize, calls } = rig(() => new Response(null, { status: 500 }))
    for (let round = 0; round < 5; round += 1) {
      expect(tokenizer.isAsked('a')).toBe(true)
      expect(await tokenize(CHAT)).toMatchObject({ kind: 'failure', reason: 'unreachable' })
    }
    expect(tokenizer.isAsked('a')).toBe(false)
    expect(tokenizer.isAsked('b')).toBe(true)
    const before = calls.length
    expect(await tokenize(CHAT)).toMatchObject({ reason: 'breaker_open' })
    expect(calls).toHaveLength(before)
  })

  test('by its callers’ mistakes is asked again', async () => {
    const { tokenizer, tokenize } = rig(() => Response.json({ error: {} }, { status: 400 }))
    for (let round = 0; round < 6; round += 1) expect(await tokenize(CHAT)).toMatchObject({ reason: 'refused' })
    expect(tokenizer.isAsked('a')).toBe(true)
  })

  test('to answer costs the time given and no more', async () => {
    const { clock, tokenize, paths } = rig(() => null)
    const reply = tokenize(CHAT)
    await Promise.resolve()
    clock.advance(100)
    expect(await reply).toMatchObject({ kind: 'failure', reason: 'timeout' })
    expect(paths()).toEqual(['/v1/chat/completions/render'])
  })
})

test.each([
  ['ids', { tokens: [0, 5] }, [0, 5]],
  ['rendered ids', { token_ids: [5] }, [5]],
  ['no list', { tokens: 5 }, null],
  ['negative ids', { tokens: [-1] }, null],
  ['half an id', { tokens: [0.5] }, null],
  ['text', { tokens: ['5'] }, null],
  ['nothing', null, null],
  ['an empty list', [], null],
])('%s', (_, answer, ids) => expect(readIds(answer)).toEqual(ids))
