import { describe, expect, test } from 'vitest'
import { inProcessRouter } from '../../test/support/in-process-router.ts'
import type { Platform } from '../platform.ts'
import type { PurgeNews } from '../store/purge-log.ts'

const CONFIG = JSON.stringify({
  workers: [{ id: 'w', url: 'http://w:1', models: ['m', 'n'] }],
  api_keys: [{ name: 'acme', key: 'acme-0123456789', tokens_per_minute: 60_000 }],
  admin_api_key: 'admin-0123456789',
  cache: { ttl_secs: 600 },
})

/** A copy of the fleet's state is looked at anew after this. */
const NEXT_COPY_MS = 2_500

const authorization = 'Bearer acme-0123456789'

async function rig(platform: (usual: Platform) => Partial<Platform> = () => ({})) {
  const choices = [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }]
  const usage = { prompt_tokens: 1_000, completion_tokens: 1_000, total_tokens: 2_000 }
  const respond = async () => Response.json({ choices, usage })
  const router = await inProcessRouter(CONFIG, respond, undefined, { platform })
  const ask = async (model = 'm') => {
    const messages = [{ role: 'user', content: 'hello' }]
    const { response } = await router.chat({ model, temperature: 0, messages }, { headers: { authorization } })
    const { headers } = response
    return {
      status: headers.get('x-vllm-router-cache-status'),
      tokensLeft: Number(headers.get('x-ratelimit-remaining-tokens')),
    }
  }
  const purge = (what: object) =>
    router.post('/admin/cache/purge', {
      headers: { 'content-type': 'application/json', authorization: 'Bearer admin-0123456789' },
      body: JSON.stringify(what),
    })
  return { ...router, ask, purge, statusOf: async (model = 'm') => (await ask(model)).status }
}

/** A fleet whose news a test makes up. */
function toldBy(news: () => PurgeNews): (usual: Platform) => Partial<Platform> {
  return ({ fleet }) => ({
    fleet: { ...fleet, sync: async (report) => ({ ...(await fleet.sync(report)), purges: news() }) },
  })
}

test('what another router was told to forget is forgotten here with the next copy of the fleet’s state', async () => {
  let news: PurgeNews = { log: 'fleet', count: 0, latest: [] }
  const { statusOf, advance } = await rig(toldBy(() => news))
  for (const model of ['m', 'n']) {
    await statusOf(model)
    expect(await statusOf(model)).toBe('exact-hit')
  }
  news = { log: 'fleet', count: 1, latest: [{ kind: 'model', name: 'm' }] }
  advance(NEXT_COPY_MS)
  expect([await statusOf('m'), await statusOf('n')]).toEqual(['miss', 'exact-hit'])
  // What came since stays.
  advance(NEXT_COPY_MS)
  expect(await statusOf('m')).toBe('exact-hit')
})

test('and everything when whoever counts has begun anew', async () => {
  let news: PurgeNews = { log: 'fleet', count: 0, latest: [] }
  const { statusOf, advance } = await rig(toldBy(() => news))
  await statusOf()
  news = { log: 'its successor', count: 0, latest: [] }
  advance(NEXT_COPY_MS)
  expect(await statusOf()).toBe('miss')
})

describe('a purge that the others can not be told of', () => {
  const cutOff = ({ fleet }: Platform) => ({
    fleet: { ...fleet, announcePurge: () => Promise.reject(new Error('no way to secret-place')) },
  })

  test('holds here, and says that it does not elsewhere', async () => {
    const { statusOf, purge } = await rig(cutOff)
    await statusOf()
    const { response, text } = await purge({ all: true })
    expect(response.status).toBe(503)
    expect(JSON.parse(text).error.code).toBe('cache_unavailable')
    expect(text).not.toContain('secret')
    expect(await statusOf()).toBe('miss')
  })
})

test('of one process reaches it, and what is kept right after it stays', async () => {
  const { statusOf, purge, advance } = await rig()
  await statusOf()
  const { text } = await purge({ tenant: 'acme' })
  expect(JSON.parse(text).cache).toEqual({ backend: 'memory', reaches: 'process', within_secs: 0 })
  expect([await statusOf(), await statusOf()]).toEqual(['miss', 'exact-hit'])
  advance(NEXT_COPY_MS)
  expect(await statusOf()).toBe('exact-hit')
})

test('a hit costs its tenant no tokens', async () => {
  const { ask } = await rig()
  const missed = await ask()
  const first = await ask()
  const second = await ask()
  expect([first.status, second.status]).toEqual(['exact-hit', 'exact-hit'])
  // The clock stands still, so nothing comes back meanwhile.
  expect(missed.tokensLeft).toBe(58_000)
  expect([first.tokensLeft, second.tokensLeft]).toEqual([58_000, 58_000])
})
