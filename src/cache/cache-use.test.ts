import { expect, test } from 'vitest'
import { cacheUseOf, mayBeKept } from './cache-use.ts'

const useOf = (json: object, cacheControl: string | null = null, cachesNondeterministic = false) =>
  cacheUseOf({
    json: { ...json },
    headers: new Headers(cacheControl === null ? {} : { 'cache-control': cacheControl }),
    cachesNondeterministic,
  })

const GREEDY = { temperature: 0 }
const withPart = (part: object) => ({ ...GREEDY, messages: [{ role: 'user', content: [part] }] })

test.each<[object, string]>([
  [{ temperature: 0 }, 'use'],
  [{ temperature: 1, seed: 0 }, 'use'],
  [{ temperature: 1, seed: -1 }, 'bypass'],
  [{}, 'bypass'],
  [{ temperature: 0.1 }, 'bypass'],
  [{ temperature: '0' }, 'bypass'],
  [{ temperature: null, seed: null }, 'bypass'],
  [Object.create({ temperature: 0 }), 'bypass'],
  [{ ...GREEDY, kv_transfer_params: { do_remote_prefill: true } }, 'bypass'],
  [{ ...GREEDY, kv_transfer_params: null }, 'use'],
  [withPart({ type: 'image_url', image_url: { url: 'https://a/b.png' } }), 'bypass'],
  [withPart({ type: 'audio_url', audio_url: 'https://a/b.wav' }), 'bypass'],
  [withPart({ type: 'image_url', image_url: { url: 'data:image/png;base64,aa' } }), 'use'],
  [withPart({ type: 'text', text: 'https://a' }), 'use'],
])('%j: %s', (json, expected) => {
  expect(useOf(json)).toBe(expected)
})

test.each([
  ['no-store', 'bypass'],
  ['No-Store, max-age=60', 'bypass'],
  ['no-cache', 'refresh'],
  ['max-age=0', 'refresh'],
  ['max-age=60', 'use'],
  ['no-storeroom', 'use'],
])('Cache-Control: %s is a %s', (text, expected) => {
  expect(useOf(GREEDY, text)).toBe(expected)
})

test('an operator can have everything kept but what callers refuse', () => {
  expect(useOf({}, null, true)).toBe('use')
  expect(useOf({}, 'no-store', true)).toBe('bypass')
  expect(useOf({ kv_transfer_params: {} }, null, true)).toBe('bypass')
})

test.each([
  [null, true],
  ['no-cache', true],
  ['max-age=60', true],
  ['no-store', false],
  ['max-age=1, Private', false],
])('an answer with Cache-Control: %s may be kept: %s', (text, expected) => {
  expect(mayBeKept(new Headers(text === null ? {} : { 'cache-control': text }))).toBe(expected)
})
