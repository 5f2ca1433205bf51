import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { inProcessRouter, type UpstreamCall } from '../../test/support/in-process-router.ts'

const CHAT = '/v1/chat/completions'

/** Callers with names that could be confused with each other's, and with what stands beside them in a key. */
const CALLERS = ['acme', 'acme2', 'null', 'm'] as const
const keyOf = (caller: string) => `key-of-${caller}-0123456789`

const CONFIG = JSON.stringify({
  workers: [{ id: 'w', url: 'http://w:1', models: ['m', 'adapter'] }],
  api_keys: CALLERS.map((name) => ({ name, key: keyOf(name) })),
  model_rules: [{ match: 'alias', rewrite: 'm' }],
  forward_headers: ['x-team'],
  cache: { cache_nondeterministic: true, ttl_secs: 600, max_entries: 1_000_000, max_bytes: '1GiB' },
})

interface Echo {
  readonly caller: string
  readonly target: string
  readonly headers: readonly (string | null)[]
  readonly body: string
}

/** A router whose worker answers with what it was asked, and for whom. */
async function echoingRouter() {
  let caller = ''
  let worked = 0
  const router = await inProcessRouter(CONFIG, async ({ url, headers, body }: UpstreamCall) => {
    worked += 1
    const { pathname, search } = new URL(url)
    const sent = new Headers(headers)
    const echo: Echo = {
      caller,
      target: pathname + search,
      headers: ['accept-language', 'x-team', 'x-semantic-a'].map((name) => sent.get(name)),
      body: body instanceof Uint8Array ? new TextDecoder().decode(body) : '',
    }
    const message = { role: 'assistant', content: JSON.stringify(echo) }
    const answer = JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] })
    if (!/"stream":\s*true/.test(echo.body)) return Response.json(JSON.parse(answer))
    return new Response(`data: ${answer}\n\ndata: [DONE]\n\n`, { headers: { 'content-type': 'text/event-stream' } })
  })
  return {
    worked: () => worked,
    async send(asked: Asked, more: Readonly<Record<string, string>> = {}) {
      caller = asked.caller
      const authorization = `Bearer ${keyOf(asked.caller)}`
      const headers = { 'content-type': 'application/json', authorization, ...asked.headers, ...more }
      const { response, text } = await router.post(asked.target, { body: asked.body, headers })
      if (response.status !== 200) return null
      const event = text.startsWith('data: ') ? text.slice('data: '.length, text.indexOf('\n')) : text
      const echo: Echo = JSON.parse(JSON.parse(event).choices[0].message.content)
      return { echo, isHit: response.headers.get('x-vllm-router-cache-status') === 'exact-hit' }
    },
  }
}

interface Asked {
  readonly caller: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Made by hand, so that a worker is told things in all the ways that JSON has for them, and in some that only look alike. */
const value = fc.constantFrom(
  '1',
  '1.0',
  '1e0',
  '9007199254740993',
  '9007199254740992',
  'null',
  'true',
  '"1"',
  '[]',
  '{}',
)
const name = fc.constantFrom(
  '"a"',
  '"\\u0061"',
  '"user"',
  '"\\u0075ser"',
  '"seed"',
  '"model "',
  '"party"',
  '"stream_options"',
)
const text = fc.constantFrom('"x"', '"\\u0078"', '"x "', '"x\\",\\"y"', '["x"]', '[{"type":"text","text":"x"}]', 'null')
const blank = fc.constantFrom('', ' ', '\n\t')
const messages = fc
  .array(fc.tuple(text, fc.option(text), fc.boolean()), { minLength: 1, maxLength: 2 })
  .map((list) =>
    list.map(([content, twice, isFirst]) => {
      const members = ['"role":"user"', `"content":${content}`, ...(twice === null ? [] : [`"content":${twice}`])]
      return `{${(isFirst ? members : members.toReversed()).join(',')}}`
    }),
  )
  .map((list) => `[${list.join(',')}]`)
const body = fc
  .tuple(
    messages,
    fc.constantFrom('"m"', '"alias"', '"adapter"', '"\\u006d"'),
    fc.option(fc.constantFrom('true', 'false', 'null')),
    fc.array(fc.tuple(name, value), { maxLength: 2 }),
    fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }),
    blank,
  )
  .map(([list, model, stream, more, order, space]) => {
    const members = [
      `"messages":${space}${list}`,
      `"model":${model}`,
      ...(stream === null ? [] : [`"stream":${stream}`]),
      ...more.map(([key, given]) => `${key}${space}:${given}`),
    ]
    return `{${space}${order.flatMap((at) => members[at] ?? []).join(`${space},`)}}`
  })
const asked: fc.Arbitrary<Asked> = fc.record({
  caller: fc.constantFrom(...CALLERS),
  target: fc.constantFrom(CHAT, `${CHAT}?a=1`),
  headers: fc.constantFrom<Record<string, string>[]>({}, {}, { 'x-team': 'a' }, { 'x-semantic-a': 'a' }),
  body,
})

type WithSource = (this: unknown, key: string, item: unknown, context: { readonly source?: string }) => unknown

/** What a worker reads in a body: numbers as they are written, the last of repeated keys, and nothing of what names the sender. */
function understood({ body: json, ...rest }: Echo): string {
  const withSource: WithSource = (_key, item, { source }) => (typeof item === 'number' ? `number ${source}` : item)
  const read: Record<string, unknown> = JSON.parse(json, withSource as Parameters<typeof JSON.parse>[1])
  delete read['user']
  const isStream = read['stream'] === true
  delete read['stream']
  const sorted = (_key: string, item: unknown): unknown =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([one], [other]) => (one < other ? -1 : 1)))
      : item
  return JSON.stringify([rest, isStream, read], sorted)
}

test('10,000 crafted pairs: who is answered from the cache gets what it would have got, and its own', async () => {
  const { send, worked } = await echoingRouter()
  let pairs = 0
  let hits = 0
  await fc.assert(
    fc.asyncProperty(asked, asked, async (one, other) => {
      pairs += 1
      // One of both pretends to be the other in everything but its key.
      for (const request of [one, { ...one, caller: other.caller }]) {
        const given = await send(request)
        if (given === null || !given.isHit) continue
        hits += 1
        const before = worked()
        const fresh = await send(request, { 'cache-control': 'no-store' })
        expect(worked()).toBe(before + 1)
        expect(given.echo.caller).toBe(request.caller)
        expect(fresh && understood(given.echo)).toBe(fresh && understood(fresh.echo))
      }
    }),
    { numRuns: 10_000 },
  )
  expect(pairs).toBeGreaterThanOrEqual(10_000)
  // Else nothing has been looked at.
  expect(hits).toBeGreaterThan(1_000)
}, 120_000)
