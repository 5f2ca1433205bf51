// Workers that can't be reached, die, or take too long: another one serves, or the caller learns it in its own words.

import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { chatBody, expectAnthropicRefusal, expectRefusal, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { rawRequest } from '../support/raw-client.ts'

const CHAT = '/v1/chat/completions'

export function outcomesConformance(runtime: RuntimeName): void {
  describe(`failing workers on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: {
        pairA: { models: ['pair'] },
        pairB: { models: ['pair'] },
        dying: { models: ['dying'] },
        gone: { models: ['gone'] },
        slow: { models: ['slow'] },
      },
      config: (urls) => ({
        workers: Object.entries(urls).map(([id, url]) => ({ id, url })),
        timeouts: { connect: '300ms', first_byte: '700ms', idle: '700ms', total: '1500ms' },
      }),
    })
    const chat = (model: string) => postJson(fleet.url + CHAT, chatBody(model))
    const isServed = async (model: string) => (await chat(model)).status === 200

    test('a worker that refuses connections: another one serves every request', async () => {
      expect(await isServed('pair')).toBe(true)
      await fleet.worker('pairA').setFaults({ refuse: true })
      for (let turn = 0; turn < 6; turn += 1) {
        const answer = await chat('pair')
        expect(answer.status, answer.text).toBe(200)
        expect(answer.headers.get('x-vllm-router-worker')).toBe('pairB')
        expect(['1', '2']).toContain(answer.headers.get('x-vllm-router-attempts'))
      }
      await fleet.worker('pairA').setFaults([])
      const isBack = async () => (await chat('pair')).headers.get('x-vllm-router-worker') === 'pairA'
      await until(isBack, 8_000, () => 'pairA was never used again')
    })

    test('a connection that breaks before the answer: sent once more, to another worker', async () => {
      for (const name of ['pairA', 'pairB'] as const) {
        await fleet.worker(name).setFaults({ die_before_headers: true, times: 1 })
        const attempts = []
        for (let turn = 0; turn < 2; turn += 1) {
          const answer = await chat('pair')
          expect(answer.status, answer.text).toBe(200)
          attempts.push(answer.headers.get('x-vllm-router-attempts'))
        }
        expect(attempts.sort()).toEqual(['1', '2'])
      }
    })

    // workerd has the same words for a worker that broke off as for one that is gone.
    const broken = runtime === 'workerd' ? 'no_worker' : 'upstream_unreachable'
    test(`no other worker: ${broken} in shape, with no address in it`, async () => {
      await fleet.worker('dying').setFaults({ die_before_headers: true })
      const answer = await postJson(fleet.url + CHAT, chatBody('dying'), { 'x-request-id': 'once' })
      expectRefusal(answer, broken)
      // Nor has the runtime's fetch sent it again by itself: a prompt that kills workers would run twice.
      expect(fleet.call('once').headers['x-request-id']).toBe('once')
      expect(answer.headers.get('x-vllm-router-worker')).toBe('dying')
      expect(answer.headers.get('x-vllm-router-attempts')).toBe('1')
      await fleet.worker('dying').setFaults([])
      await until(
        () => isServed('dying'),
        8_000,
        () => 'dying was never used again',
      )
    })

    test('no other worker, and it is gone: 503 from the first request on, and 200 when it is back', async () => {
      expect(await isServed('gone')).toBe(true)
      await fleet.worker('gone').setFaults({ refuse: true })
      const first = await chat('gone')
      expectRefusal(first, 'no_worker')
      expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0)
      const later = await postJson(`${fleet.url}/v1/messages`, chatBody('gone'))
      expectAnthropicRefusal(later, 'no_worker', 'overloaded_error')
      await fleet.worker('gone').setFaults([])
      await until(
        () => isServed('gone'),
        8_000,
        () => 'gone was never used again',
      )
    })

    test('no first byte in time: 504, and the worker’s request is aborted', async () => {
      const before = fleet.worker('slow').state().disconnects
      await fleet.worker('slow').setFaults({ hang: true, times: 2 })
      const startedAtMs = performance.now()
      const [answer, anthropic] = await Promise.all([
        chat('slow'),
        postJson(`${fleet.url}/v1/messages`, { ...chatBody('slow'), stream: true }),
      ])
      expectRefusal(answer, 'upstream_timeout')
      expectAnthropicRefusal(anthropic, 'upstream_timeout', 'timeout_error')
      expect(performance.now() - startedAtMs).toBeGreaterThan(600)
      expect(answer.headers.get('x-vllm-router-attempts')).toBe('1')
      await until(
        () => fleet.worker('slow').state().disconnects === before + 2,
        3_000,
        () => 'the worker still works',
      )
      expect(fleet.worker('slow').state().running).toBe(0)
      expect(await isServed('slow')).toBe(true)
    })

    test('slow, but in time', async () => {
      await fleet.worker('slow').setFaults({ slow_headers_ms: 200, times: 1 })
      expect(await isServed('slow')).toBe(true)
    })

    async function expectAbort(how: 'resets' | 'closes'): Promise<void> {
      const before = fleet.worker('slow').state().disconnects
      await fleet.worker('slow').setFaults({ hang: true, times: 1 })
      const { hostname, port } = new URL(fleet.url)
      const socket = connect(Number(port), hostname)
      const body = JSON.stringify(chatBody('slow'))
      const headers = ['Content-Type: application/json', `Content-Length: ${body.length}`, `X-Request-Id: ${how}`]
      socket.write(rawRequest(`POST ${CHAT}`, headers, body))
      const hasArrived = () => fleet.calls().some(({ headers }) => headers['x-request-id'] === how)
      await until(hasArrived, 3_000, () => 'the request never arrived')
      const leftAtMs = performance.now()
      if (how === 'resets') socket.resetAndDestroy()
      else socket.destroy()
      await until(
        () => fleet.worker('slow').state().disconnects === before + 1,
        3_000,
        () => 'the worker still works',
      )
      // Sooner than any timeout would have ended it.
      expect(performance.now() - leftAtMs).toBeLessThan(500)
    }

    test('a client that resets its connection aborts the worker’s request', () => expectAbort('resets'))

    test('a client that closes its connection does so too', () => expectAbort('closes'))
  })
}
