import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type KeyedRequest, responseKey, shapingMembers } from './response-key.ts'

const REQUEST: KeyedRequest = {
  party: 'acme',
  target: '/v1/chat/completions',
  model: 'm',
  shape: '',
  headers: new Headers(),
  forwardHeaders: [],
  headerChanges: null,
}

const keyOf = (request: Partial<KeyedRequest>, body: object | string = { messages: [] }) =>
  responseKey({ ...REQUEST, ...request }, shapingMembers(typeof body === 'string' ? body : JSON.stringify(body)))

describe('what is no part of the key', () => {
  test.each([
    ['the name that was asked for', { model: 'alias' }],
    ['whether it is a stream, which the shape says', { stream: true }],
    ['the end user', { user: 'u' }],
    ['the id it asks for', { request_id: 'r' }],
  ])('%s', async (_, more) => {
    expect(await keyOf({}, { messages: [], ...more })).toBe(await keyOf({}))
  })

  test('headers that take anything, and those that are not there', async () => {
    const headers = new Headers({ accept: '*/*', 'accept-language': '*' })
    expect(await keyOf({ headers })).toBe(await keyOf({}))
  })

  test('what names the request or its trace', async () => {
    const headers = new Headers({ traceparent: 'x', 'x-request-id': 'r', 'user-agent': 'u', 'x-session-id': 's' })
    expect(await keyOf({ headers })).toBe(await keyOf({}))
  })
})

describe('what is', () => {
  test.each<[string, Partial<KeyedRequest>]>([
    ['the tenant', { party: 'zeta' }],
    ['no tenant', { party: null }],
    ['a tenant that is called null', { party: 'null' }],
    ['the path', { target: '/v1/completions' }],
    ['the query', { target: '/v1/chat/completions?a=1' }],
    ['the model', { model: 'n' }],
    ['the shape of a stream', { shape: 'chat' }],
    ['changes of headers', { headerChanges: '{}' }],
    ['a language', { headers: new Headers({ 'accept-language': 'de' }) }],
    ['what a router in front says', { headers: new Headers({ 'x-semantic-route': 'a' }) }],
    ['what operators let through', { headers: new Headers({ 'x-team': 'a' }), forwardHeaders: ['x-team'] }],
  ])('%s', async (_, changed) => {
    expect(await keyOf(changed)).not.toBe(await keyOf({}))
  })

  test.each(['stream_options', 'seed', 'temperature', 'cache_salt', 'priority', 'metadata', 'anything'])(
    '%s of the body',
    async (name) => {
      expect(await keyOf({}, { messages: [], [name]: 1 })).not.toBe(await keyOf({}))
    },
  )

  test('a field of an inner object that has the name of one left out', async () => {
    expect(await keyOf({}, { a: { user: 'u' } })).not.toBe(await keyOf({}, { a: {} }))
  })
})

/** Names and bodies made of the few characters that could confuse who puts them together. */
const tricky = fc.string({
  unit: fc.constantFrom('a', 'b', '"', ',', ':', '[', ']', '{', '}', '\\', '\n', ' ', 'é'),
  maxLength: 6,
})

test('0 of 10,000 pairs of different tenants share a key, whatever they are called and ask', async () => {
  let pairs = 0
  const known = new Map<string, string>()
  await fc.assert(
    fc.asyncProperty(tricky, tricky, tricky, tricky, async (one, other, model, text) => {
      fc.pre(one !== other)
      pairs += 1
      const body = { messages: [{ role: 'user', content: text }] }
      const keys = await Promise.all([keyOf({ party: one, model }, body), keyOf({ party: other, model }, body)])
      expect(keys[0]).not.toBe(keys[1])
      // Nor does a key of one ever turn up with another, whatever that one asks.
      for (const [at, party] of [one, other].entries()) {
        const key = keys[at] ?? ''
        expect(known.get(key) ?? party).toBe(party)
        known.set(key, party)
      }
    }),
    { numRuns: 10_000 },
  )
  expect(pairs).toBeGreaterThanOrEqual(10_000)
})

test('different requests have different keys: all parts and the body together', async () => {
  const known = new Map<string, string>()
  const parts = fc.record({
    party: fc.option(tricky),
    target: tricky,
    model: tricky,
    shape: tricky,
    text: tricky,
    field: tricky,
  })
  await fc.assert(
    fc.asyncProperty(parts, async (made) => {
      const body = JSON.stringify({ messages: [{ content: made.text }], [`x${made.field}`]: 1 })
      const key = await keyOf({ party: made.party, target: made.target, model: made.model, shape: made.shape }, body)
      const whole = JSON.stringify(made)
      expect(known.get(key) ?? whole).toBe(whole)
      known.set(key, whole)
    }),
    { numRuns: 5_000 },
  )
})
