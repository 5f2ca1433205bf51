// Tenants in a full router, over real sockets: one that asks fifty times as much as another must leave that one its share.

import { request as httpRequest, Agent } from 'node:http'
import { describe, expect, test } from 'vitest'
import { chatBody } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const PLACES = 4
const ANSWER_MS = 80
const MEASURED_MS = 4_000
/** How long a client of the greedy tenant waits after a refusal: it goes on asking, without being a benchmark. */
const PAUSE_MS = 150

interface Load {
  readonly key: string
  readonly clients: number
}

export function fairnessConformance(runtime: RuntimeName): void {
  describe(`fairness on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['m'], prefillOverheadMs: ANSWER_MS, maxNumSeqs: 1_000 } },
      config: (urls) => ({
        workers: [{ id: 'only', url: urls.only }],
        api_keys: [
          { name: 'modest', key: 'modest-key' },
          { name: 'greedy', key: 'greedy-key' },
          { name: 'heavy', key: 'heavy-key', weight: 3 },
        ],
        max_concurrent_requests: PLACES,
        queue_size: 60,
        log_level: 'warn',
      }),
    })

    test('one tenant with fifty times the clients leaves another 90 % of its half', async () => {
      const [modest = 0, greedy = 0] = await answersOf(fleet.url, [
        { key: 'modest-key', clients: 4 },
        { key: 'greedy-key', clients: 200 },
      ])
      const half = (modest + greedy) / 2
      expect([modest, greedy, modest >= 0.9 * half]).toEqual([modest, greedy, true])
    })

    test('a tenant of three times the weight gets three times as much', async () => {
      const [light = 0, heavy = 0] = await answersOf(fleet.url, [
        { key: 'greedy-key', clients: 40 },
        { key: 'heavy-key', clients: 40 },
      ])
      expect([light, heavy, heavy / light > 2.5 && heavy / light < 3.5]).toEqual([light, heavy, true])
    })
  })
}

/** Good answers by load, all of them at it for as long as is measured, but for a while at the beginning. */
async function answersOf(url: string, loads: readonly Load[]): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  const startedAtMs = performance.now()
  const beginsAtMs = startedAtMs + 500
  const endsAtMs = beginsAtMs + MEASURED_MS
  const counts = loads.map(() => 0)
  const clients = loads.flatMap(({ key, clients }, at) =>
    Array.from({ length: clients }, async () => {
      while (performance.now() < endsAtMs) {
        const status = await statusOf(url, key, agent)
        const nowMs = performance.now()
        if (status === 200 && nowMs > beginsAtMs && nowMs < endsAtMs) counts[at] = (counts[at] ?? 0) + 1
        if (status !== 200) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      }
    }),
  )
  await Promise.all(clients)
  agent.destroy()
  return counts
}

function statusOf(url: string, key: string, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
    const request = httpRequest(`${url}/v1/chat/completions`, { method: 'POST', headers, agent }, (response) => {
      response.resume()
      response.once('close', () => resolve(response.statusCode ?? 0))
    })
    request.once('error', () => resolve(0))
    request.end(JSON.stringify(chatBody('m')))
  })
}
