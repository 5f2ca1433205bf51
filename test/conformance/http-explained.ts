// The headers that explain an answer, as a contract: for every kind of answer which are there and what they say, and
// that there are no others.

import { describe, expect, test } from 'vitest'
import { ALL_EXPLAINABILITY_HEADERS } from '../../src/index.ts'
import { type Answered, ask, chatBody } from '../support/ask.ts'
import { freePort, type RuntimeName } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { ANSWERED, EXPLAINED_KEY, EXPLAINED_KINDS, keyed, post, type Told } from './explained-kinds.ts'

const CHAT = '/v1/chat/completions'

/** Routers of its own for each way to show things. */
export function explainedConformance(runtime: RuntimeName): void {
  describe(`explaining headers on ${runtime}`, () => {
    const fleet = explainedFleet(runtime, {})

    test.each(EXPLAINED_KINDS)('$name: $status', async ({ status, send, told }) => {
      const answer = await send(fleet.url)
      expect(answer.status, answer.text).toBe(status)
      expectTold(answer, told)
    })

    test('routes that no worker answers have the request id, and the decision id where they leave a record', async () => {
      for (const path of ['/health', '/version', '/v1/models', '/nope']) {
        const answer = await ask(fleet.url + path, { headers: keyed })
        const told =
          path === '/v1/models' ? { 'x-vllm-router-decision-id': expect.stringMatching(/^[0-9a-f]{32}$/) } : {}
        expect([path, explaining(answer)]).toEqual([path, told])
        expect(answer.headers.get('x-request-id')).toMatch(/^req-/)
      }
    })
  })

  describe(`explaining headers that are switched off on ${runtime}`, () => {
    const fleet = explainedFleet(runtime, { expose_routing_headers: false })

    test.each(EXPLAINED_KINDS)('$name: the request id alone', async ({ status, send }) => {
      const answer = await send(fleet.url)
      expect(answer.status, answer.text).toBe(status)
      expect(explaining(answer)).toEqual({})
      expect(answer.headers.get('x-request-id')).toMatch(/^req-/)
    })
  })

  describe(`worker_display: hash on ${runtime}`, () => {
    const fleet = explainedFleet(runtime, { worker_display: 'hash' })

    test('shows a hash, the same each time, and the URL nowhere', async () => {
      const answers = [await post(CHAT, chatBody('m'))(fleet.url), await post(CHAT, chatBody('alias'))(fleet.url)]
      const shown = answers.map(({ headers }) => headers.get('x-vllm-router-worker') ?? '')
      expect(shown[0]).toMatch(/^[0-9a-f]{12}$/)
      expect(shown[1]).toBe(shown[0])
      for (const { headers } of answers) expect(JSON.stringify([...headers])).not.toContain(fleet.worker('one').url)
    })
  })
}

function explainedFleet(runtime: RuntimeName, settings: object): LiveFleet<'one'> {
  return liveFleet<'one'>(runtime, {
    workers: { one: { models: ['m'], allowRequestFaults: true } },
    config: async (urls) => ({
      workers: [
        { id: 'one', url: urls.one },
        { id: 'ghost', url: `http://127.0.0.1:${await freePort()}`, models: ['ghost'] },
      ],
      inbound_api_key: EXPLAINED_KEY,
      max_payload_size: 4_000,
      forward_headers: ['x-sim-fault'],
      passthrough_paths: ['/ping'],
      retry: { max_retries: 0 },
      model_rules: [
        { match: 'alias', rewrite: 'm' },
        { match: 'to-nobody', rewrite: 'nobody' },
      ],
      ...settings,
    }),
  })
}

/** Every header with the router's prefix. */
function explaining({ headers }: Answered): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith('x-vllm-router-')))
}

function expectTold(answer: Answered, told: Partial<Told>): void {
  const { isRecorded, ...values } = { ...ANSWERED, ...told }
  const wanted = Object.entries({ ...values, policy: values.method === 'policy' ? 'round_robin' : null })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => [`x-vllm-router-${name}`, value])
  const { 'x-vllm-router-decision-id': decisionId, ...others } = explaining(answer)
  expect(others).toEqual(Object.fromEntries(wanted))
  expect(decisionId ?? null).toEqual(isRecorded ? expect.stringMatching(/^[0-9a-f]{32}$/) : null)
  for (const name of Object.keys(explaining(answer))) expect(ALL_EXPLAINABILITY_HEADERS).toContain(name)
  expect(answer.headers.get('x-request-id')).toMatch(/^req-[0-9a-f]{32}$/)
}
