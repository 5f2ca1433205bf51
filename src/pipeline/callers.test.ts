import { describe, expect, test } from 'vitest'
import { digestOfKey } from '../access/key-digest.ts'
import type { KeyValidationConfig, TenantConfig } from '../config/config.ts'
import type { SendRequestInit } from '../platform.ts'
import { createCallers, partyOf, wantsKeys } from './callers.ts'

const tenant = (name: string, key: string, isEnabled = true): TenantConfig => ({
  name,
  keyDigests: [digestOfKey(key)],
  rateLimitRps: null,
  maxConcurrent: null,
  tokensPerMinute: null,
  allowedModels: ['*'],
  isEnabled,
  weight: 1,
  metadata: {},
})
const SEARCH = tenant('search', 'search-key')
const OFF = tenant('off', 'off-key', false)
const VALIDATION: KeyValidationConfig = {
  urls: ['http://keys.test/'],
  timeoutMs: 1_000,
  acceptedTtlMs: 1_000,
  refusedTtlMs: 1_000,
  onOutage: 'refuse',
  staleMs: 1_000,
}
const OPEN = { inboundKeyDigest: null, tenants: [], keyValidation: null, adminKeys: [] }

const REQUEST = { requestId: 'req-1', signal: () => new AbortController().signal, waitUntil() {} }

function bench(config: Parameters<typeof createCallers>[0]['config'], status = 200) {
  const asked: (string | null)[] = []
  const platform = {
    now: () => 0,
    after: () => () => {},
    async send(_url: string, { headers }: SendRequestInit) {
      asked.push(new Headers(headers).get('authorization'))
      return new Response('', { status })
    },
    classifySendError: () => ({ phase: 'not_sent', reason: 'refused' }) as const,
  }
  const earlier = createCallers({ config, platform, onKeyServiceFailure() {} })
  return {
    asked,
    earlier,
    next: (later: typeof config) => createCallers({ config: later, platform, onKeyServiceFailure() {}, earlier }),
    identify: (headers: Record<string, string>) => earlier.identify(new Headers(headers), REQUEST),
  }
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
/** A caller whose key a service has accepted. */
const vouched = (key: string) => ({ kind: 'known', tenant: null, keyDigest: digestOfKey(key) })

describe('callers', () => {
  test('have no admin keys: a service is never asked about one, whatever it would say', async () => {
    const adminKeys = [{ label: 'ops', keyDigest: digestOfKey('admin-key'), scopes: [] }]
    const { asked, identify } = bench({ ...OPEN, adminKeys, keyValidation: VALIDATION })
    expect(await identify(bearer('admin-key'))).toEqual({ kind: 'stranger' })
    expect(asked).toEqual([])
    expect(await identify({ ...bearer('admin-key'), 'x-router-key': 'other' })).toEqual(vouched('other'))
    expect(asked).toEqual(['Bearer other'])
  })

  test('are anybody where no key is configured', () => {
    expect(wantsKeys(OPEN)).toBe(false)
    expect(bench(OPEN).identify({})).toEqual({ kind: 'known', tenant: null })
  })

  test.each([
    [bearer('search-key'), { kind: 'known', tenant: SEARCH }],
    [{ 'x-router-key': 'search-key' }, { kind: 'known', tenant: SEARCH }],
    [{ 'x-api-key': 'search-key' }, { kind: 'known', tenant: SEARCH }],
    [bearer('shared-key'), { kind: 'known', tenant: null }],
    [bearer('off-key'), { kind: 'disabled', tenant: OFF }],
    [
      { ...bearer('off-key'), 'x-api-key': 'search-key' },
      { kind: 'known', tenant: SEARCH },
    ],
    [
      { ...bearer('other'), 'x-api-key': 'search-key' },
      { kind: 'known', tenant: SEARCH },
    ],
    [{}, { kind: 'stranger' }],
    [bearer('other'), { kind: 'stranger' }],
    [bearer('undefined'), { kind: 'stranger' }],
    [{ 'x-vllm-tenant': 'search' }, { kind: 'stranger' }],
  ])('with %j: %j', (headers, caller) => {
    const { identify } = bench({ ...OPEN, tenants: [SEARCH, OFF], inboundKeyDigest: digestOfKey('shared-key') })
    expect(identify(headers)).toEqual(caller)
  })

  test('a service is asked about keys that nobody here knows, and about no others', async () => {
    const { asked, identify } = bench({ ...OPEN, tenants: [SEARCH, OFF], keyValidation: VALIDATION })
    expect(identify(bearer('search-key'))).toEqual({ kind: 'known', tenant: SEARCH })
    expect(identify(bearer('off-key'))).toEqual({ kind: 'disabled', tenant: OFF })
    expect(identify({})).toEqual({ kind: 'stranger' })
    for (const nothing of ['undefined', 'null', '', ' '])
      expect(identify(bearer(nothing))).toEqual({ kind: 'stranger' })
    expect(asked).toEqual([])
    expect(await identify(bearer('unknown-1'))).toEqual(vouched('unknown-1'))
    expect(asked).toEqual(['Bearer unknown-1'])
  })

  test('whose key a service knows are parties of their own; those with one key in common are one', () => {
    expect(partyOf({ kind: 'known', tenant: SEARCH })).toBe('search')
    expect(partyOf({ kind: 'known', tenant: null })).toBeNull()
    const parties = ['one', 'two'].map((key) => partyOf({ kind: 'known', tenant: null, keyDigest: digestOfKey(key) }))
    expect(new Set(parties).size).toBe(2)
    for (const party of parties) expect(party).toMatch(/^key:/)
  })

  test.each([
    [200, 'known'],
    [401, 'stranger'],
    [503, 'unchecked'],
  ])('what the service says decides: %i', async (status, kind) => {
    const { asked, identify } = bench({ ...OPEN, keyValidation: VALIDATION }, status)
    expect((await identify({ ...bearer('one'), 'x-api-key': 'two' })).kind).toBe(kind)
    expect(asked).toEqual(['Bearer one', 'Bearer two'])
  })

  test('a new configuration with the same services knows what they said; with others it does not', async () => {
    const { earlier, asked, next } = bench({ ...OPEN, keyValidation: VALIDATION })
    await earlier.identify(new Headers(bearer('one')), REQUEST)
    const same = next({ ...OPEN, tenants: [SEARCH], keyValidation: { ...VALIDATION } })
    expect(same.identify(new Headers(bearer('one')), REQUEST)).toEqual(vouched('one'))
    expect(asked).toHaveLength(1)
    const other = next({ ...OPEN, keyValidation: { ...VALIDATION, urls: ['http://others.test/'] } })
    await other.identify(new Headers(bearer('one')), REQUEST)
    expect(asked).toHaveLength(2)
  })

  test('B62: keys that share a long beginning are two keys', async () => {
    const { asked, identify } = bench({ ...OPEN, keyValidation: VALIDATION })
    const beginning = 'k'.repeat(60)
    await identify(bearer(`${beginning}-1`))
    await identify(bearer(`${beginning}-2`))
    expect(asked).toHaveLength(2)
  })
})
