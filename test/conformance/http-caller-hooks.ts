// What hooks learn of a caller: the tenant's name, and never a key.

import { describe, expect, test } from 'vitest'
import type { RuntimeName } from '../support/launch.ts'
import { KEYS } from './caller-fleet.ts'
import { hookFleet } from './hook-fleet.ts'

export function callerHooks(runtime: RuntimeName): void {
  describe(`hooks and callers on ${runtime}`, () => {
    const bench = hookFleet(
      runtime,
      [
        { name: 'counts', path: '/allow', send: 'metadata', models: ['*'] },
        { name: 'reads', path: '/allow', models: ['*'] },
      ],
      { api_keys: [{ name: 'search', key: KEYS.search }], inbound_api_key: KEYS.inbound },
    )

    test.each([
      [{ authorization: `Bearer ${KEYS.search}` }, 'search'],
      [{ 'x-api-key': KEYS.search, 'x-vllm-tenant': 'other' }, 'search'],
      [{ 'x-router-key': KEYS.inbound, 'x-vllm-tenant': 'search' }, null],
    ])('%j: the tenant is %s, and the key is nowhere', async (headers, tenant) => {
      const { id, status, text } = await bench.chat('plain', { headers })
      expect(status, text).toBe(200)
      const calls = bench.callsOf(id)
      expect(calls).toHaveLength(2)
      expect(calls.find(({ headers: sent }) => sent['x-vllm-router-hook-input'] === 'metadata')?.json().tenant).toBe(
        tenant,
      )
      for (const key of [KEYS.search, KEYS.inbound]) expect(JSON.stringify(calls)).not.toContain(key)
    })
  })
}
