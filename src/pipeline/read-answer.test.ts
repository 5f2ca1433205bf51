// Answers that are read whole before they are passed on: a cut is a failed attempt, and the record says so.

import { describe, expect, test } from 'vitest'
import { inProcessRouter, type UpstreamCall } from '../../test/support/in-process-router.ts'
import { behave, config, cutAnswer, JSON_HEADERS, jsonInit, WORKERS } from '../../test/support/made-up-workers.ts'

const CHAT = '/v1/chat/completions'
const DECLARED = { ...JSON_HEADERS, 'content-length': '28' }

/** A fleet whose first call is answered so, and all others well. */
async function fleetWith(first: (call: UpstreamCall) => Response, extra = '', workers = WORKERS) {
  const calls: UpstreamCall[] = []
  const fleet = await inProcessRouter(config(extra, workers), async (call) =>
    calls.push(call) === 1 ? first(call) : behave('ok'),
  )
  const ask = async (init: RequestInit = jsonInit(), path = CHAT) => {
    const { response, text } = await fleet.post(path, init)
    expect(fleet.router.inFlight()).toBe(0)
    return { status: response.status, text, calls: calls.length, record: fleet.records().at(-1) }
  }
  return { fleet, calls, ask }
}

/** A body that says nothing until its request is aborted. */
function silence({ signal }: UpstreamCall, begin = ''): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      if (begin !== '') controller.enqueue(new TextEncoder().encode(begin))
      signal.addEventListener('abort', () => controller.error(new Error('aborted')))
    },
  })
}

const CUT_LINE = { outcome: 'invalid', reason: 'truncated', status: 200 }

describe('a short answer', () => {
  test.each([
    ['of stated length', DECLARED],
    ['of unknown length', JSON_HEADERS],
  ])('%s that is cut is asked for once more', async (_, headers) => {
    const { ask } = await fleetWith(() => cutAnswer(headers))
    const { status, calls, record } = await ask()
    expect([status, calls]).toEqual([200, 2])
    expect(record?.attempts).toMatchObject([CUT_LINE, { outcome: 'answered', status: 200 }])
  })

  test('cut twice is a 502', async () => {
    const fleet = await inProcessRouter(config(), async () => cutAnswer(DECLARED))
    const { response, text } = await fleet.chat({ model: 'm', messages: [] })
    expect([response.status, JSON.parse(text).error.code]).toEqual([502, 'upstream_invalid'])
    expect(fleet.records().at(-1)?.attempts).toMatchObject([CUT_LINE, CUT_LINE])
    expect(fleet.router.inFlight()).toBe(0)
  })

  test('shorter than it said is cut, though its end looked clean', async () => {
    const { ask } = await fleetWith(() => new Response('{"object":{}}', { headers: DECLARED }))
    expect(await ask()).toMatchObject({ status: 200, calls: 2, record: { attempts: [CUT_LINE, {}] } })
    const plain = await fleetWith(
      () => new Response('some', { headers: { ...DECLARED, 'content-type': 'text/plain' } }),
    )
    expect(await plain.ask()).toMatchObject({ status: 200, calls: 2 })
  })

  test('all there and no whole JSON is the worker’s doing: 502, and nobody else is asked', async () => {
    const { ask } = await fleetWith(() => new Response('{"a":', { headers: { ...DECLARED, 'content-length': '5' } }))
    const { status, text, calls, record } = await ask()
    expect([status, JSON.parse(text).error.code, calls]).toEqual([502, 'upstream_invalid', 1])
    expect(record?.attempts).toMatchObject([{ outcome: 'invalid', reason: 'upstream_invalid', status: 200 }])
  })

  test('of unknown length and no whole JSON was cut, as some transports end a cut body cleanly', async () => {
    const { ask } = await fleetWith(() => new Response('{"a":', { headers: JSON_HEADERS }))
    expect(await ask()).toMatchObject({ status: 200, calls: 2, record: { attempts: [CUT_LINE, {}] } })
  })

  test('that stalls is a timeout, tried once more, then 504', async () => {
    const limits = 'timeouts: { first_byte: 2s }'
    const { fleet, ask } = await fleetWith((call) => {
      setImmediate(() => fleet.advance(3_000))
      return new Response(silence(call), { headers: DECLARED })
    }, limits)
    expect(await ask()).toMatchObject({
      status: 200,
      record: { attempts: [{ outcome: 'timeout', reason: 'first_byte', status: 200 }, { outcome: 'answered' }] },
    })
    const lone = await fleetWith(
      (call) => {
        setImmediate(() => lone.fleet.advance(3_000))
        return new Response(silence(call), { headers: DECLARED })
      },
      limits,
      WORKERS.slice(0, 1),
    )
    expect(await lone.ask()).toMatchObject({ status: 504, record: { stream_end: 'timeout' } })
  })

  test.each([DECLARED, JSON_HEADERS])('whose client leaves is 499, and nobody else is asked', async (headers) => {
    const client = new AbortController()
    const { ask } = await fleetWith((call) => {
      setImmediate(() => client.abort())
      return new Response(silence(call, '{'), { headers })
    })
    const { status, calls, record } = await ask({ ...jsonInit(), signal: client.signal })
    expect([status, calls]).toEqual([499, 1])
    expect(record?.attempts).toMatchObject([{ outcome: 'aborted', status: 200 }])
  })

  test('that refuses and is cut says so in its line', async () => {
    const { ask } = await fleetWith(() => cutAnswer(DECLARED, 500))
    const { status, text, calls, record } = await ask()
    expect([status, JSON.parse(text).error.code, calls]).toEqual([502, 'upstream_invalid', 1])
    expect(record?.attempts).toMatchObject([{ ...CUT_LINE, status: 500 }])
  })
})

describe('an answer of unknown length', () => {
  const jsonOf = (bytes: number) => `{"data":"${'x'.repeat(bytes)}"}`

  test('that is short gets its length', async () => {
    const { fleet } = await fleetWith(() => new Response(jsonOf(1_000), { headers: JSON_HEADERS }))
    const { text } = await fleet.post(CHAT, jsonInit())
    expect(text).toBe(jsonOf(1_000))
  })

  test('that turns out long passes whole', async () => {
    const { ask } = await fleetWith(() => {
      const chunks = jsonOf(600_000).match(/.{1,50000}/g) ?? []
      const body = new ReadableStream({
        pull(controller) {
          const next = chunks.shift()
          if (next === undefined) controller.close()
          else controller.enqueue(new TextEncoder().encode(next))
        },
      })
      return new Response(body, { headers: JSON_HEADERS })
    })
    expect(await ask()).toMatchObject({ status: 200, text: jsonOf(600_000), calls: 1 })
  })

  test.each(['text/plain', 'audio/wav'])('that is %s is not waited for', async (type) => {
    let end: () => void = () => {}
    const { fleet } = await fleetWith(() => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('begun'))
          end = () => controller.close()
        },
      })
      return new Response(body, { headers: { 'content-type': type } })
    })
    const request = new Request(`http://router${CHAT}`, { method: 'POST', ...jsonInit() })
    const response = await fleet.router.fetch(request, { waitUntil: () => {}, rawTarget: null })
    end()
    expect(await response.text()).toBe('begun')
  })
})
