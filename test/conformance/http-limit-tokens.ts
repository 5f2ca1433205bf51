// Tokens per minute over HTTP: what workers counted is charged, also in streams whose clients did not ask for counts.

import { describe, expect, test } from 'vitest'
import { chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { fetchWhole } from '../support/http-client.ts'
import { until } from '../support/launch.ts'
import { CHAT, type LimitBench, type TenantName, TOKENS } from './limit-fleet.ts'

const COUNTED = 1_000_000

export function limitTokens(bench: LimitBench): void {
  const url = (path: string = CHAT) => bench.fleet.url + path
  const ROUTES: readonly (readonly [string, object])[] = [
    [CHAT, { ...chatBody('fast'), max_tokens: 20, stream: true }],
    ['/v1/completions', { model: 'fast', prompt: 'hello there', max_tokens: 20, stream: true }],
  ]

  /** What is left according to the headers of a request that costs none. */
  async function left(tenant: TenantName): Promise<number> {
    const { headers } = await postJson(url('/tokenize'), { model: 'fast', prompt: 'x' }, bench.by(tenant))
    return Number(headers.get('x-ratelimit-remaining-tokens'))
  }

  /** A stream as a tenant gets it, without what differs from one to the next. */
  async function stream(tenant: TenantName, path: string, body: object) {
    const id = bench.nextId()
    const { text } = await fetchWhole(url(path), body, { headers: bench.by(tenant, { 'x-request-id': id }) })
    const same = text.replaceAll(id, 'ID').replaceAll(/"created":\d+/g, '"created":0')
    return { id, text: same, sent: JSON.parse(bench.fleet.call(id).body) }
  }

  describe('tokens per minute', () => {
    test.each(ROUTES)(
      'of %s are asked for, and the client gets the stream as it would be without',
      async (path, body) => {
        const counted = await stream('counted', path, body)
        const free = await stream('free', path, body)
        expect(counted.sent).toEqual({ ...body, stream_options: { include_usage: true } })
        expect(free.sent).toEqual(body)
        expect(counted.text).toBe(free.text)
        expect(counted.text).toContain('data: [DONE]')
        expect(counted.text).not.toContain('usage')
        const record = await bench.fleet.router.record((line) => line['request_id'] === counted.id)
        expect(record['usage']).toMatchObject({ completion_tokens: 20 })
      },
    )

    test('that a client asks for itself reach it', async () => {
      const body = { ...chatBody('fast'), stream: true, stream_options: { include_usage: true } }
      const { text, sent } = await stream('counted', CHAT, body)
      expect(sent).toEqual(body)
      expect(text).toContain('"choices":[],"usage":{')
    })

    test.each<[string, string, object]>([
      ['an answer', CHAT, { ...chatBody('fast'), max_tokens: 20 }],
      ['a stream', CHAT, { ...chatBody('fast'), max_tokens: 20, stream: true }],
      ['a response', '/v1/responses', { model: 'fast', input: 'hello', max_output_tokens: 20, stream: true }],
      ['a message', '/v1/messages', { ...chatBody('fast'), max_tokens: 20, stream: true }],
      ['an embedding', '/v1/embeddings', { model: 'fast', input: 'hello there' }],
      ['a ranking', '/rerank', { model: 'fast', query: 'a', documents: ['b', 'c'] }],
    ])('are charged as the worker counted: %s', async (_, path, body) => {
      const id = bench.nextId()
      // Full again, but for the part of a second that a request takes.
      await until(
        async () => (await left('counted')) > COUNTED - 1,
        10_000,
        () => 'tokens did not come back',
      )
      await fetchWhole(url(path), body, { headers: bench.by('counted', { 'x-request-id': id }) })
      const record = await bench.fleet.router.record((line) => line['request_id'] === id)
      const { prompt_tokens: prompt = 0, completion_tokens: answer = 0 } = record['usage'] as Record<string, number>
      expect(prompt + answer).toBeGreaterThan(0)
      // More was charged while it ran. The news that it was less may take a moment.
      await until(
        async () => COUNTED - (await left('counted')) <= prompt + answer,
        2_000,
        () => `more than ${prompt + answer} tokens are missing`,
      )
    })

    test('used up are refused, whatever the route but those that use none', async () => {
      let spent = 0
      const big = { model: 'fast', input: 'word '.repeat(700) }
      await until(
        async () => {
          const { status, json } = await postJson(url('/v1/embeddings'), big, bench.by('tokens'))
          if (status === 200) spent += json().usage.total_tokens
          return status === 429
        },
        5_000,
        () => `never refused after ${spent} tokens`,
      )
      // The last one that passed may have been more than was left.
      expect(spent).toBeGreaterThanOrEqual(TOKENS)
      const refused = await postJson(url(), chatBody('fast'), bench.by('tokens'))
      expectRefusal(refused, 'rate_limit_exceeded')
      expect(refused.text).toContain(`tokens per minute (${TOKENS})`)
      expect(refused.headers.get('x-ratelimit-limit-tokens')).toBe(String(TOKENS))
      expect(refused.headers.get('x-ratelimit-remaining-tokens')).toBe('0')
      expect(refused.headers.get('x-ratelimit-reset-tokens')).toMatch(/^(?:1m)?\d+s$/)
      const tokenized = await postJson(url('/tokenize'), { model: 'fast', prompt: 'x' }, bench.by('tokens'))
      expect(tokenized.status).toBe(200)
    })
  })
}
