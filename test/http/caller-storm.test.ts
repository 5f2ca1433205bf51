// One tenant whose requests are all wrong, as fast as it can, on workers that others use: they are refused one by one, no
// breaker moves, and nobody else notices.

import { describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const CHAT = '/v1/chat/completions'
const ADMIN_KEY = 'operator-0123456789'
const STORM = 400
const STORMERS = 16
const STATUSES = [400, 401, 403, 404, 413, 422] as const

const RUNTIMES: readonly RuntimeName[] = ['node', 'workerd']

describe.each(RUNTIMES)('a storm of wrong requests on %s', (runtime) => {
  const fleet = liveFleet(runtime, {
    workers: { a: { models: ['m'] }, b: { models: ['m'] } },
    config: (urls) => ({
      workers: Object.entries(urls).map(([id, url]) => ({ id, url })),
      admin_api_key: ADMIN_KEY,
      api_keys: [
        { name: 'wild', key: 'wild-0123456789' },
        { name: 'calm', key: 'calm-0123456789' },
      ],
      health_check: { check_interval_secs: 600 },
      // As touchy as they come: three faults in a row, or one in five.
      circuit_breaker: { failure_threshold: 3, minimum_volume: 5, error_rate: 0.2 },
    }),
  })
  const admin = adminClient(() => fleet.url, ADMIN_KEY)

  function ask(tenant: 'wild' | 'calm', content: string) {
    const body = { model: 'm', messages: [{ role: 'user', content }], max_tokens: 2 }
    return postJson(fleet.url + CHAT, body, { authorization: `Bearer ${tenant}-0123456789` })
  }

  test('moves no breaker, and another tenant is served all the while', { timeout: 60_000 }, async () => {
    for (const name of ['a', 'b'] as const) {
      await fleet.worker(name).setFaults(STATUSES.map((status) => ({ status, match: `wrong-${status}` })))
    }
    let sent = 0
    const refused: boolean[] = []
    const storm = Promise.all(
      Array.from({ length: STORMERS }, async () => {
        while (sent < STORM) {
          const status = STATUSES[(sent += 1) % STATUSES.length] ?? 400
          refused.push((await ask('wild', `wrong-${status}`)).status === status)
        }
      }),
    )
    const served: number[] = []
    while (sent < STORM) served.push((await ask('calm', 'fine')).status)
    await storm
    expect(refused).toHaveLength(refused.filter(Boolean).length)
    expect(served.length).toBeGreaterThan(5)
    expect(new Set(served)).toEqual(new Set([200]))
    for (const name of ['a', 'b'] as const) {
      const shown = (await admin.get(`/workers/${name}`)).json()
      expect(shown).toMatchObject({ availability: 'up', share: 1, breaker: { state: 'closed' } })
      // What the window holds are the good answers to the other tenant.
      expect([null, 0]).toContain(shown.breaker.error_rate)
    }
    expect((await ask('wild', 'fine')).status).toBe(200)
  })
})
