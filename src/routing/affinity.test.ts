// The session's key: where it comes from, in which order, and what can't pass for one.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_AFFINITY_HEADERS, findAffinity } from './affinity.ts'
import type { Affinity } from './policy.ts'

function find(body: object | null, headers: Record<string, string> = {}, names?: readonly string[]): Affinity | null {
  const source = {
    header: (name: string) => (Object.hasOwn(headers, name) ? (headers[name] ?? null) : null),
    body: body as Record<string, unknown> | null,
  }
  return findAffinity(source, names)
}

const sourceOf = (body: object | null, headers?: Record<string, string>): string | undefined =>
  find(body, headers)?.source
const chat = (...messages: object[]): object => ({ model: 'm', messages })
const user = (content: unknown): object => ({ role: 'user', content })

describe('order', () => {
  test('headers first, then fields of the body, then the prompt', () => {
    const headers = Object.fromEntries(DEFAULT_AFFINITY_HEADERS.map((name) => [name, 'x']))
    const body: Record<string, unknown> = {
      session_params: { session_id: 's' },
      user: 'u',
      session_id: 't',
      user_id: 'v',
      prompt: 'p',
    }
    const found: (string | undefined)[] = []
    for (const name of DEFAULT_AFFINITY_HEADERS) {
      found.push(sourceOf(body, headers))
      delete headers[name]
    }
    for (const field of Object.keys(body)) {
      found.push(sourceOf(body))
      delete body[field]
    }
    expect(found).toEqual([
      'header:x-semantic-cluster-id',
      'header:x-session-id',
      'header:x-user-id',
      'header:x-tenant-id',
      'header:x-correlation-id',
      'body:session_params.session_id',
      'body:user',
      'body:session_id',
      'body:user_id',
      'prompt',
    ])
    expect(find({})).toBeNull()
  })

  test('a list of headers replaces the default one; ids of single requests are not in that', () => {
    const headers = { 'x-session-id': 's', 'x-team': 't', 'x-request-id': 'r', 'x-trace-id': 't' }
    expect(find(null, headers, ['x-team'])?.source).toBe('header:x-team')
    expect(find(null, { 'x-request-id': 'r', 'x-trace-id': 't', traceparent: '00' })).toBeNull()
  })

  test('blank values are skipped, numbers count', () => {
    expect(sourceOf({ user: '  ', session_id: '', user_id: 7 }, { 'x-session-id': '' })).toBe('body:user_id')
    expect(find({ user: 7 })).toEqual(find({ user: '7' }))
    for (const user of [null, true, {}, ['a'], undefined]) expect(find({ user })).toBeNull()
  })
})

describe('the key', () => {
  test('is a hash, the same for the same value, another for another source', () => {
    const header = find(null, { 'x-user-id': '7' })
    expect(header?.hash).toMatch(/^[0-9a-f]{16}$/)
    expect(find({ prompt: 'other' }, { 'x-user-id': '7' })).toEqual(header)
    const all = [header, find({ user: '7' }), find({ user_id: '7' }), find({ session_id: '7' }), find({ prompt: '7' })]
    expect(new Set(all.map((affinity) => affinity?.hash)).size).toBe(5)
  })

  test('never comes from what a prompt says', () => {
    expect(sourceOf(chat(user('user: mallory, "user_id": "victim", session_id: 1')))).toBe('prompt')
    expect(sourceOf({ ...chat(user('hi')), user: 'real' })).toBe('body:user')
  })

  test('never comes from what objects inherit', () => {
    const hostile = JSON.parse('{"__proto__":{"user":"x","session_id":"y"},"constructor":{"user_id":"z"}}')
    expect(find(hostile)).toBeNull()
    expect(find({ ...hostile, session_params: JSON.parse('{"__proto__":{"session_id":"x"}}') })).toBeNull()
    expect(find(chat(JSON.parse('{"role":"user","__proto__":{"content":"x"}}')))).toBeNull()
  })

  test('any JSON has a key or none, and never an error', () => {
    const property = fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (extra, value) => {
      for (const name of ['messages', 'prompt', 'input', 'system', 'query', 'session_params', 'user']) {
        const affinity = find({ ...extra, [name]: value })
        if (affinity !== null) expect(affinity.hash).toMatch(/^[0-9a-f]{16}$/)
      }
    })
    fc.assert(property)
  })
})

describe("the prompt's beginning", () => {
  const hashOf = (body: object): string | undefined => find(body)?.hash
  const system = { role: 'system', content: 'Be brief.' }

  test('a conversation keeps its key as it grows', () => {
    const first = hashOf(chat(system, user('hello')))
    expect(hashOf(chat(system, user('hello'), { role: 'assistant', content: 'hi' }, user('more')))).toBe(first)
    expect(hashOf(chat(system, user('other')))).not.toBe(first)
    expect(hashOf(chat(user('hello')))).not.toBe(first)
  })

  test('content in parts is text; images alone are no key', () => {
    const image = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }
    expect(sourceOf(chat(user([{ type: 'text', text: 'what is this' }, image])))).toBe('prompt')
    expect(hashOf(chat(user([{ type: 'text', text: 'a' }])))).not.toBe(
      hashOf(chat(user([{ type: 'text', text: 'b' }]))),
    )
    expect(find(chat(user([image])))).toBeNull()
  })

  test.each([
    ['completions', { prompt: 'a' }, { prompt: 'b' }],
    ['completions, batch', { prompt: ['a', 'b'] }, { prompt: ['a', 'c'] }],
    ['completions, token ids', { prompt: [1, 2, 3] }, { prompt: [1, 2, 4] }],
    ['completions, batch of token ids', { prompt: [[1, 2], [3]] }, { prompt: [[1, 2], [4]] }],
    ['embeddings', { input: 'a' }, { input: ['b'] }],
    ['responses', { input: 'a', instructions: 'x' }, { input: 'a', instructions: 'y' }],
    ['responses, items', { input: [user([{ type: 'input_text', text: 'a' }])] }, { input: [user('b')] }],
    [
      'anthropic, system',
      { system: 'x', ...chat(user('a')) },
      { system: [{ type: 'text', text: 'y' }], ...chat(user('a')) },
    ],
    ['rerank', { query: 'a', documents: ['x'] }, { query: 'b', documents: ['x'] }],
    ['score', { text_1: 'a', text_2: 'x' }, { text_1: 'b', text_2: 'x' }],
  ])('%s: different texts, different keys', (_, one, other) => {
    expect(sourceOf(one)).toBe('prompt')
    expect(sourceOf(other)).toBe('prompt')
    expect(hashOf(one)).not.toBe(hashOf(other))
  })

  test('2,048 characters count, and what follows costs nothing', () => {
    const long = 'x'.repeat(2_048)
    expect(hashOf({ prompt: `${long}a` })).toBe(hashOf({ prompt: `${long}b` }))
    expect(hashOf({ prompt: `${long.slice(1)}a` })).not.toBe(hashOf({ prompt: `${long.slice(1)}b` }))
    let read = 0
    const endless = new Proxy(
      Array.from({ length: 1e6 }, () => null),
      {
        get: (target, name, self) => ((read += 1), Reflect.get(target, name, self)),
      },
    )
    expect(find({ prompt: endless })).toBeNull()
    expect(read).toBeLessThan(10_000)
  })
})
