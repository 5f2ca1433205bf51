// Which requests are the same to the response cache, and whose answers are given to whom.

import { expect, test } from 'vitest'
import { postJson } from '../support/ask.ts'
import { as, CHAT, type ResponseCacheRig, statusOf } from '../support/response-cache-rig.ts'

export function cachedRequestsConformance({ fleet, chat, body }: ResponseCacheRig): void {
  test('what only looks different is the same request', async () => {
    const first = await chat(body('the same', { user: 'one', stream: false }))
    const messages = JSON.stringify(body('the same')).replace(
      /.*"content":"([^"]*)".*/,
      '[ {"content":"$1", "role":"user"} ]',
    )
    const text = `{ "messages" : ${messages},\n "user":"two","max_tokens":4,"temperature":0,"model":"alias" }`
    const second = await postJson(fleet.url + CHAT, text, as('acme'))
    expect([statusOf(first), statusOf(second)]).toEqual(['miss', 'exact-hit'])
  })

  const tool = { type: 'function', function: { name: 'f', parameters: {} } }
  const picture = (pixel: string) => [{ type: 'image_url', image_url: { url: `data:image/png;base64,${pixel}` } }]
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }

  test.each<[string, object]>([
    ['another model', { model: 'other' }],
    ['an adapter of the model', { model: 'adapter' }],
    ['another length', { max_tokens: 5 }],
    ['an unknown field', { vllm_xargs: { x: 1 } }],
    ['a seed', { seed: 1 }],
    ['a tool', { tools: [tool] }],
    ['a choice of tools', { tools: [tool], tool_choice: 'none' }],
    ['a tool that was called', { messages: [{ role: 'assistant', content: null, tool_calls: [call] }] }],
    ['a response format', { response_format: { type: 'json_object' } }],
    ['more than one answer', { n: 2 }],
    ['probabilities', { logprobs: true }],
    ['a template argument', { chat_template_kwargs: { enable_thinking: false } }],
    ['a salt', { cache_salt: 's' }],
    ['a picture', { messages: [{ role: 'user', content: picture('AA==') }] }],
  ])('%s is another request, and one that can be answered again', async (_, more) => {
    await chat(body('a'))
    const other = body('a', more)
    expect(statusOf(await chat(other))).toBe('miss')
    expect(statusOf(await chat(other))).toBe('exact-hit')
    expect(statusOf(await chat(body('a')))).toBe('exact-hit')
  })

  test('another text is another request, and so is another picture', async () => {
    const showing = (pixel: string) => body('b', { messages: [{ role: 'user', content: picture(pixel) }], seed: 5 })
    for (const asked of [body('b'), body('c'), showing('AA=='), showing('AB==')]) {
      expect(statusOf(await chat(asked))).not.toBe('exact-hit')
      expect(statusOf(await chat(asked))).toBe('exact-hit')
    }
  })

  test('big seeds that a parser would take for one are two', async () => {
    const seeded = (seed: string) => JSON.stringify(body('seeds')).replace('{', `{"seed":${seed},`)
    const ask = (seed: string) => postJson(fleet.url + CHAT, seeded(seed), as('acme'))
    expect(statusOf(await ask('9007199254740993'))).toBe('miss')
    expect(statusOf(await ask('9007199254740992'))).toBe('miss')
    expect(statusOf(await ask('9007199254740993'))).toBe('exact-hit')
  })

  test('the query and headers that shape an answer are part of the request', async () => {
    const to = (path: string, headers: Readonly<Record<string, string>> = {}) =>
      postJson(fleet.url + path, body('shaped'), { ...as('acme'), ...headers })
    expect(statusOf(await to(CHAT))).toBe('miss')
    expect(statusOf(await to(`${CHAT}?beta=1`))).toBe('miss')
    expect(statusOf(await to(CHAT, { 'accept-language': 'de' }))).toBe('miss')
    expect(statusOf(await to(CHAT, { 'x-semantic-domain': 'maths' }))).toBe('miss')
    expect(statusOf(await to(CHAT, { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }))).toBe('exact-hit')
  })

  test('no tenant gets what another one was answered', async () => {
    const [first, second] = [await chat(body('whose')), await chat(body('whose'), as('zeta'))]
    expect([statusOf(first), statusOf(second)]).toEqual(['miss', 'miss'])
    expect(JSON.parse(first.text).id).not.toBe(JSON.parse(second.text).id)
  })
}
