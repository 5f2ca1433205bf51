// A tenant's limits over eight processes that share them through a Redis: nothing gets through beyond what docs/limits.md
// says, and what it allows is to be had.

import { describe, expect, test } from 'vitest'
import { chatBody, postJson } from '../support/ask.ts'
import { until } from '../support/launch.ts'
import { routerGroup } from '../support/router-group.ts'

const PROCESSES = 8
/** Far below what eight clients that wait for each answer ask for, on any machine. */
const RATE = 10
const SLOTS = 6

const by = (tenant: string) => ({ authorization: `Bearer key-of-${tenant}-0123456789` })
const tenant = (name: string, limits: object) => ({ name, key: `key-of-${name}-0123456789`, ...limits })

describe('eight processes', { timeout: 120_000 }, () => {
  const group = routerGroup({
    runtimes: Array.from({ length: PROCESSES }, () => 'node' as const),
    config: {
      api_keys: [tenant('rate', { rate_limit_rps: RATE }), tenant('slots', { max_concurrent: SLOTS })],
      log_level: 'warn',
    },
    itlMs: 5,
  })

  test('let no more requests through than one would', async () => {
    await group.leader()
    const startedAtMs = Date.now()
    const statuses: number[] = []
    const drive = async (at: number) => {
      while (Date.now() - startedAtMs < 4_000) {
        statuses.push((await group.member(at).chat(by('rate'))).status)
      }
    }
    await Promise.all(group.members.map((_, at) => drive(at)))
    const seconds = (Date.now() - startedAtMs) / 1_000
    const passed = statuses.filter((status) => status === 200).length
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
    console.log(`${passed} of ${statuses.length} requests in ${seconds} s at ${RATE}/s over ${PROCESSES} processes`)
    expect(passed).toBeLessThanOrEqual(RATE + RATE * seconds)
    expect(passed).toBeGreaterThan(RATE * seconds * 0.5)
  })

  test('let through who waits as long as it is told', async () => {
    for (const at of [0, 5]) {
      let waitSeconds = 0
      await until(
        async () => {
          const answers = await Promise.all(Array.from({ length: 4 }, () => group.member(at).chat(by('rate'))))
          const refused = answers.find(({ status }) => status === 429)
          waitSeconds = Number(refused?.headers.get('retry-after') ?? 0)
          return refused !== undefined
        },
        20_000,
        () => 'nothing was ever refused',
      )
      expect(waitSeconds).toBeGreaterThan(0)
      await new Promise((resolve) => setTimeout(resolve, waitSeconds * 1_000))
      expect((await group.member(at).chat(by('rate'))).status).toBe(200)
    }
  })

  test('run no more at a time than one would, and give every place back', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const body = { ...chatBody('m'), stream: true, max_tokens: 100_000 }
    const begin = async (at: number) => {
      const { url } = group.member(at).router
      const answer = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...by('slots') },
        body: JSON.stringify(body),
        signal,
      })
      void answer.text().catch(() => {})
      return answer.status
    }
    const statuses = await Promise.all(Array.from({ length: 3 * PROCESSES }, (_, at) => begin(at % PROCESSES)))
    expect(statuses.filter((status) => status === 200)).toHaveLength(SLOTS)
    expect(statuses.filter((status) => status === 429)).toHaveLength(3 * PROCESSES - SLOTS)
    controller.abort()
    await until(
      async () => {
        const { url } = group.member(3).router
        return (await postJson(`${url}/v1/chat/completions`, chatBody('m'), by('slots'))).status === 200
      },
      20_000,
      () => 'no place came back',
    )
  })
})
