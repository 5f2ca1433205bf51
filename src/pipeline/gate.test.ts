// An error as a stream's first event, behind the first-event gate: what of it another worker gets to see.

import { describe, expect, test } from 'vitest'
import { inProcessRouter } from '../../test/support/in-process-router.ts'
import { behave, config, END, EVENT, jsonInit, SSE_HEADERS } from '../../test/support/made-up-workers.ts'

const GATED = 'retry: { gate: first_event }'

const CHAT = '/v1/chat/completions'

function errorEvent(code: unknown): string {
  return `data: {"error":{"message":"é","type":"X","param":null,"code":${code}}}\n\ndata: [DONE]\n\n`
}

const stream = (text: string) => new Response(text, { headers: SSE_HEADERS })

describe('an error event behind the first-event gate', () => {
  /** Asks a fleet whose first worker to be asked streams this. */
  async function askPast(text: string, path = CHAT) {
    let calls = 0
    const fleet = await inProcessRouter(config(GATED), async () => {
      calls += 1
      return calls === 1 ? stream(text) : behave('stream')
    })
    const asked = await fleet.post(path, jsonInit({ stream: true }))
    expect([asked.response.status, fleet.router.inFlight()]).toEqual([200, 0])
    return { text: asked.text, calls, attempts: fleet.records().at(-1)?.attempts }
  }

  test.each([429, 503, 502, 504])('%i is an answer with that status: another worker serves', async (code) => {
    const { text, calls, attempts } = await askPast(errorEvent(code))
    expect([text, calls]).toEqual([EVENT + END, 2])
    expect(attempts).toMatchObject([{ outcome: 'answered', reason: 'error_event', status: code }, { status: 200 }])
    expect(attempts?.[1]?.reason).toBeUndefined()
  })

  test.each([
    [500, 500],
    [501, 501],
    [400, 400],
    [404, 404],
    [200, 500],
    [600, 500],
    ['"503"', 500],
    ['null', 500],
  ])('with the code %s it is passed on as it came, and recorded as %i', async (code, status) => {
    const { text, calls, attempts } = await askPast(errorEvent(code))
    expect([text, calls]).toEqual([errorEvent(code), 1])
    expect(attempts).toMatchObject([{ outcome: 'answered', reason: 'error_event', status }])
  })

  test('in Anthropic’s shape it has no code, and is taken for a 500', async () => {
    const event = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'
    expect(await askPast(event, '/v1/messages')).toMatchObject({ text: event, calls: 1 })
    const coded = event.replace('"message"', '"code":503,"message"')
    expect(await askPast(coded, '/v1/messages')).toMatchObject({ calls: 2 })
  })

  test('comments before it do not hide it, and pass with it', async () => {
    expect(await askPast(`: ping\n\n${errorEvent(503)}`)).toMatchObject({ text: EVENT + END, calls: 2 })
    expect(await askPast(`: ping\n\n${errorEvent(500)}`)).toMatchObject({ text: `: ping\n\n${errorEvent(500)}` })
  })

  test('after another event it is the client’s, in the same chunk too', async () => {
    expect(await askPast(EVENT + errorEvent(503))).toMatchObject({ text: EVENT + errorEvent(503), calls: 1 })
  })

  test('of the last worker it is passed on as it came', async () => {
    const fleet = await inProcessRouter(config(GATED), async () => stream(errorEvent(503)))
    const { text, response } = await fleet.post(CHAT, jsonInit({ stream: true }))
    expect([response.status, text, response.headers.get('x-vllm-router-attempts')]).toEqual([200, errorEvent(503), '3'])
    expect(fleet.router.inFlight()).toBe(0)
  })

  test('a chain moves on after a 500', async () => {
    const yaml =
      'workers: [{ url: "http://w1:1", models: [a] }, { url: "http://w2:1", models: [b] }]\n' +
      `${GATED}\nmodel_rules: [{ match: m, fallback: [a, b], on_failure: true }]`
    const fleet = await inProcessRouter(yaml, async ({ worker }) =>
      worker === 'w1:1' ? stream(errorEvent(500)) : behave('stream'),
    )
    const { text, response } = await fleet.post(CHAT, jsonInit({ stream: true }))
    expect([text, response.headers.get('x-vllm-router-model')]).toEqual([EVENT + END, 'b'])
  })

  test('without the gate it is the client’s', async () => {
    const fleet = await inProcessRouter(config(), async () => stream(errorEvent(503)))
    const { text, response } = await fleet.post(CHAT, jsonInit({ stream: true }))
    expect([text, response.headers.get('x-vllm-router-attempts')]).toEqual([errorEvent(503), '1'])
  })
})
