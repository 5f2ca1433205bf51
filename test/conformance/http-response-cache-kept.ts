// What the response cache keeps and what never, streams among it.

import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { postJson } from '../support/ask.ts'
import { as, KEYS, type ResponseCacheRig, statusOf } from '../support/response-cache-rig.ts'

export function keptAnswersConformance({ fleet, chat, twice, body }: ResponseCacheRig): void {
  const remote = [{ type: 'image_url', image_url: { url: 'http://10.0.0.1/a.png' } }]

  test.each([
    ['no temperature and no seed', { temperature: undefined }],
    ['a temperature and no seed', { temperature: 0.7 }],
    ['a seed that is none', { temperature: 0.7, seed: -1 }],
    ['a picture from somewhere', { messages: [{ role: 'user', content: remote }] }],
  ])('%s: never kept', async (_, more) => {
    expect((await twice(body('drawn', more))).statuses).toEqual(['bypass', 'bypass'])
  })

  test('a seed makes an answer one that can be kept', async () => {
    expect((await twice({ ...body('seeded'), temperature: 1, seed: 7 })).statuses).toEqual(['miss', 'exact-hit'])
  })

  test('callers can refuse to be kept, or to get what was', async () => {
    expect((await twice(body('private'), { 'cache-control': 'no-store' })).statuses).toEqual(['bypass', 'bypass'])
    expect(statusOf(await chat(body('private')))).toBe('miss')
    const old = JSON.parse((await chat(body('private'))).text).id
    const fresh = await chat(body('private'), { 'cache-control': 'no-cache' })
    expect(statusOf(fresh)).toBe('bypass')
    expect(JSON.parse(fresh.text).id).not.toBe(old)
    // What it got takes the older one's place.
    expect((await chat(body('private'))).text).toBe(fresh.text)
  })

  test.each([
    ['an error', { status: 500 }],
    ['a refusal', { status: 400 }],
    ['half a document', { truncated_json: true }],
    ['something that is no answer', { html_200: true }],
  ])('%s is not kept', async (name, faults) => {
    const broken = await chat(body(name), { 'x-sim-fault': JSON.stringify({ ...faults }) })
    expect(statusOf(broken)).toBe('miss')
    // The fault is a header that goes on, and so a part of the request.
    const again = await chat(body(name), { 'x-sim-fault': JSON.stringify({ ...faults }) })
    expect(statusOf(again)).toBe('miss')
  })

  test('a stream is kept when it is complete, and given again as one', async () => {
    const asked = body('stream', { stream: true, stream_options: { include_usage: true } })
    const { answers, statuses, asked: times } = await twice(asked)
    expect(statuses).toEqual(['miss', 'exact-hit'])
    expect(times).toBe(1)
    const [first, second] = answers
    expect(second.headers.get('content-type')).toMatch(/^text\/event-stream/)
    expect(second.text).toBe(first.text)
    expect(second.text).toMatch(/data: \[DONE\]\n\n$/)
    // One that does not stream, or wants other events, has an answer of its own.
    expect(statusOf(await chat(body('stream')))).toBe('miss')
    expect(statusOf(await chat(body('stream', { stream: true })))).toBe('miss')
  })

  test('the client library of OpenAI reads a cached stream as it does the first', async () => {
    const client = new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey: KEYS.acme, maxRetries: 0, logLevel: 'off' })
    const asked = body('library', { stream: true, stream_options: { include_usage: true } })
    const read = async () => {
      const { data, response } = await client.chat.completions
        .create(asked as OpenAI.ChatCompletionCreateParamsStreaming)
        .withResponse()
      const parts: OpenAI.ChatCompletionChunk[] = []
      for await (const part of data) parts.push(part)
      return { status: response.headers.get('x-vllm-router-cache-status'), parts }
    }
    const [first, second] = [await read(), await read()]
    expect([first.status, second.status]).toEqual(['miss', 'exact-hit'])
    expect(second.parts).toEqual(first.parts)
    expect(second.parts.at(-1)?.usage?.completion_tokens).toBe(4)
    expect(second.parts.map(({ choices }) => choices[0]?.finish_reason ?? null)).toContain('stop')
  })

  test('usage that the router alone asked for is in no cached stream', async () => {
    const { answers, statuses } = await twice(body('silent', { stream: true }))
    expect(statuses).toEqual(['miss', 'exact-hit'])
    expect(answers[1].text).not.toContain('"usage":{')
    expect(answers[1].text).toBe(answers[0].text)
  })

  test('a stream that is cut is not kept', async () => {
    const cut = { 'x-sim-fault': JSON.stringify({ die_mid_stream: { after_events: 2, mode: 'clean' } }) }
    const { statuses } = await twice(body('cut', { stream: true }), cut)
    expect(statuses).toEqual(['miss', 'miss'])
  })

  test('completions are cached too, and are no chats', async () => {
    const asked = { model: 'm', prompt: 'text', temperature: 0, max_tokens: 2 }
    const send = () => postJson(`${fleet.url}/v1/completions`, asked, as('acme'))
    expect([statusOf(await send()), statusOf(await send())]).toEqual(['miss', 'exact-hit'])
  })
}
