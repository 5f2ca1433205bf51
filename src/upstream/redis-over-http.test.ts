import { expect, test } from 'vitest'
import type { SendRequestInit } from '../platform.ts'
import { openRedisOverHttp } from './redis-over-http.ts'

const { signal } = new AbortController()

function create(answer: () => Response | Promise<Response>) {
  const sent: { readonly url: string; readonly init: SendRequestInit }[] = []
  const platform = {
    async send(url: string, init: SendRequestInit) {
      sent.push({ url, init })
      return answer()
    },
  }
  return { sent, redis: openRedisOverHttp({ platform, restUrl: 'https://eu1.example', token: 'secret-token' }) }
}

test('a command is a JSON array with the token beside it, its answer what `result` says', async () => {
  const { redis, sent } = create(() => Response.json({ result: ['a', null, 3] }))
  expect(await redis.command(['MGET', 'a', 'b"'], signal)).toEqual(['a', null, 3])
  const [{ url, init } = { url: '', init: null }] = sent
  expect(url).toBe('https://eu1.example/')
  expect(init?.headers.get('authorization')).toBe('Bearer secret-token')
  expect(new TextDecoder().decode(init?.body as Uint8Array)).toBe('["MGET","a","b\\""]')
  expect(init?.signal).toBe(signal)
})

test.each([
  ['a refusal', () => Response.json({ error: 'WRONGPASS secret-token key' }, { status: 401 })],
  ['an error with status 200', () => Response.json({ error: 'ERR secret-token' })],
  ['a page', () => new Response('<html>secret-token', { status: 502 })],
  ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://elsewhere.example' } })],
])('%s rejects, and repeats nothing of it', async (_, answer) => {
  const { redis } = create(answer)
  const error = await redis.command(['GET', 'key'], signal).catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(Error)
  expect(String(error)).not.toMatch(/secret|key|elsewhere/)
})
