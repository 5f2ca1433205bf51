// Keys that nobody here knows, asked of services over real sockets: what they say, what is remembered of it, and what
// becomes of callers while they are slow, down or flapping (B62, B63).

import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { type Answered, ask, chatBody, expectAnthropicRefusal, expectRefusal, postJson } from '../support/ask.ts'
import { type KeyServer, startKeyServer } from '../support/key-server.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

const CHAT = '/v1/chat/completions'
const DEADLINE_MS = 400
/** What an answer may take beyond the deadline, on a machine with other things to do. */
const SLACK_MS = 1_000

interface Bench {
  readonly fleet: LiveFleet<'only'>
  readonly keys: KeyServer
  ask(key: string, path?: string): Promise<Answered>
  /** A key that no test has used. */
  fresh(beginning?: string): string
  /** Questions about a key, over all services. */
  asked(key: string): number
}

/** Registers with the enclosing `describe`. */
function keyBench(runtime: RuntimeName, services: readonly string[], validation: object, more: object = {}): Bench {
  let server: KeyServer | null = null
  let count = 0
  const fleet = liveFleet(runtime, {
    workers: { only: { models: ['m'] } },
    async config(urls) {
      const started = await startKeyServer()
      server = started
      return {
        workers: [{ id: 'only', url: urls.only }],
        api_key_validation_urls: services.map((service) => started.url(service)),
        api_key_validation: { timeout_ms: DEADLINE_MS, ...validation },
        ...more,
      }
    },
  })
  afterAll(() => server?.close())
  const keys = () => {
    if (server === null) throw new Error('the key server has not been started')
    return server
  }
  return {
    fleet,
    get keys() {
      return keys()
    },
    ask: (key, path = CHAT) => postJson(fleet.url + path, chatBody('m'), { authorization: `Bearer ${key}` }),
    fresh: (beginning = 'good') => `${beginning}-${runtime}-${(count += 1)}`,
    asked: (key) => services.flatMap((service) => keys().questions(service)).filter((each) => each.key === key).length,
  }
}

export function keyServices(runtime: RuntimeName): void {
  describe(`key services on ${runtime}`, () => {
    describe('one', () => {
      const settings = { ttl_secs: 2, refused_ttl_secs: 3 }
      const tenants = { api_keys: [{ name: 'search', key: 'search-key' }], inbound_api_key: 'inbound-key' }
      const bench = keyBench(runtime, ['only'], settings, tenants)
      beforeEach(() => bench.keys.set('only', 'knows'))
      answersOfOne(bench)
      outages(bench)
      chokingKeys(bench)
      leftAlone(bench)
    })
    severalServices(runtime)
    staleKeys(runtime)
  })
}

function answersOfOne(bench: Bench): void {
  test('lets a key in, is asked about it once for a while, and is told nothing but the key', async () => {
    const key = bench.fresh()
    for (let times = 0; times < 3; times += 1) expect((await bench.ask(key)).status).toBe(200)
    expect(bench.asked(key)).toBe(1)
    const question = bench.keys.questions('only').find((each) => each.key === key)
    expect(question?.method).toBe('GET')
    expect(question?.headers).not.toHaveProperty('cookie')
    expect(question?.headers['x-request-id']).toMatch(/^req-/)
    expect(JSON.stringify(bench.fleet.calls())).not.toContain(key)
  })

  test('keeps a key out, which is remembered more shortly', async () => {
    const key = bench.fresh('bad')
    for (let times = 0; times < 3; times += 1) expectRefusal(await bench.ask(key), 'invalid_api_key')
    expect(bench.asked(key)).toBe(1)
    await until(
      async () => {
        await bench.ask(key)
        return bench.asked(key) > 1
      },
      10_000,
      () => 'the refused key is never asked about again',
    )
  })

  test('is not asked about keys of tenants, the inbound key, or what is no key', async () => {
    const before = bench.keys.questions('only').length
    for (const key of ['search-key', 'inbound-key']) expect((await bench.ask(key)).status).toBe(200)
    for (const key of ['undefined', 'null', '', 's\u00e9same']) expectRefusal(await bench.ask(key), 'invalid_api_key')
    expect(bench.keys.questions('only')).toHaveLength(before)
  })

  test('tells keys apart that share a long beginning', async () => {
    const beginning = `good-${'k'.repeat(60)}`
    await Promise.all([1, 2, 3].map((at) => bench.ask(`${beginning}${at}`)))
    expect([1, 2, 3].map((at) => bench.asked(`${beginning}${at}`))).toEqual([1, 1, 1])
  })

  test('answers every one of many that come with a new key at once', async () => {
    const key = bench.fresh()
    const answers = await Promise.all(Array.from({ length: 40 }, () => bench.ask(key)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    // Two at a time, and again beside requests that come after half its time.
    expect(bench.asked(key)).toBeLessThanOrEqual(4)
  })

  test('stored responses are its key’s own', async () => {
    const [one, other] = [bench.fresh(), bench.fresh()]
    const respond = (key: string, more: object = {}) =>
      postJson(`${bench.fleet.url}/v1/responses`, { model: 'm', input: 'hi', ...more }, { 'x-api-key': key })
    const read = (key: string, id: string) =>
      ask(`${bench.fleet.url}/v1/responses/${id}`, { headers: { 'x-api-key': key } })
    const { id } = (await respond(one)).json()
    expect((await read(one, id)).status).toBe(200)
    for (const key of [other, 'inbound-key', 'search-key']) {
      expectRefusal(await read(key, id), 'response_not_found')
      expectRefusal(await respond(key, { previous_response_id: id }), 'response_not_found')
    }
    const shared = (await respond('inbound-key')).json().id
    expectRefusal(await read(one, shared), 'response_not_found')
  })

  test('a key that is withdrawn is out within its time, though it is used all along', async () => {
    const key = bench.fresh()
    expect((await bench.ask(key)).status).toBe(200)
    bench.keys.set('only', 'refuses')
    const startedAtMs = performance.now()
    await until(
      async () => (await bench.ask(key)).status === 401,
      5_000,
      () => 'the key lives on',
    )
    expect(performance.now() - startedAtMs).toBeLessThan(2_000 + DEADLINE_MS + SLACK_MS)
    bench.keys.set('only', 'knows')
  })
}

function outages(bench: Bench): void {
  test.each(['fails', 'resets', 'is_silent', 'stalls', 'redirects'] as const)(
    'that %s: 503 in time, never a refusal, and over at once when it is back',
    async (mode) => {
      bench.keys.set('only', mode)
      const key = bench.fresh()
      const startedAtMs = performance.now()
      const answer = await bench.ask(key)
      expect(performance.now() - startedAtMs).toBeLessThan(DEADLINE_MS + SLACK_MS)
      expectRefusal(answer, 'key_check_unavailable')
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(answer.headers.get('www-authenticate')).toBeNull()
      bench.keys.set('only', 'knows')
      expect((await bench.ask(key)).status).toBe(200)
      expect(bench.keys.questions('elsewhere')).toEqual([])
    },
  )

  test('is told in the words of Anthropic to who speaks those, and in the log without address or key', async () => {
    bench.keys.set('only', 'fails')
    const key = bench.fresh()
    expectAnthropicRefusal(await bench.ask(key, '/v1/messages'), 'key_check_unavailable', 'overloaded_error')
    bench.keys.set('only', 'knows')
    expect((await bench.ask(key)).status).toBe(200)
    const output = () => bench.fleet.router.output()
    await until(
      () => output().includes('key_service_failed'),
      2_000,
      () => 'the outage is not in the log',
    )
    const line =
      output()
        .split('\n')
        .find((each) => each.includes('key_service_failed')) ?? ''
    expect(line).toContain('"service":0')
    expect(line).not.toMatch(/127\.0\.0\.1|good-/)
  })

  test('that comes and goes: keys it knows get in or are asked to wait, and none is refused', async () => {
    bench.keys.set('only', 'flaps')
    const statuses = []
    for (let at = 0; at < 12; at += 1) statuses.push((await bench.ask(bench.fresh())).status)
    bench.keys.set('only', 'knows')
    expect(new Set(statuses)).toEqual(new Set([200, 503]))
  })

  test('does not touch tenants, nor keys it has just accepted', async () => {
    const key = bench.fresh()
    expect((await bench.ask(key)).status).toBe(200)
    bench.keys.set('only', 'fails')
    expect((await bench.ask('search-key')).status).toBe(200)
    expect((await bench.ask(key)).status).toBe(200)
    bench.keys.set('only', 'knows')
    expect((await bench.ask(bench.fresh())).status).toBe(200)
  })
}

function chokingKeys(bench: Bench): void {
  test('a key that it chokes on shuts nobody else out', async () => {
    bench.keys.set('only', 'chokes')
    for (let at = 0; at < 12; at += 1) expectRefusal(await bench.ask(bench.fresh('evil')), 'key_check_unavailable')
    expect((await bench.ask(bench.fresh())).status).toBe(200)
    bench.keys.set('only', 'knows')
  })
}

function leftAlone(bench: Bench): void {
  test('that stays down is left alone for a while, at no cost to callers', async () => {
    bench.keys.set('only', 'is_silent')
    await Promise.all(Array.from({ length: 6 }, () => bench.ask(bench.fresh())))
    const before = bench.keys.questions('only').length
    const startedAtMs = performance.now()
    for (let at = 0; at < 10; at += 1) expectRefusal(await bench.ask(bench.fresh()), 'key_check_unavailable')
    expect(performance.now() - startedAtMs).toBeLessThan(DEADLINE_MS * 5)
    expect(bench.keys.questions('only')).toHaveLength(before)
  })
}

function severalServices(runtime: RuntimeName): void {
  describe('several', () => {
    const PATIENCE_MS = 2_000
    const bench = keyBench(runtime, ['one', 'two'], { ttl_secs: 2, refused_ttl_secs: 0.001, timeout_ms: PATIENCE_MS })

    test('any of them may accept, and all of them must refuse', async () => {
      for (const [one, two, status] of [
        ['refuses', 'knows', 200],
        ['knows', 'refuses', 200],
        ['fails', 'knows', 200],
        ['knows', 'is_silent', 200],
        ['refuses', 'refuses', 401],
        ['refuses', 'fails', 503],
        ['is_silent', 'refuses', 503],
      ] as const) {
        bench.keys.set('one', one)
        bench.keys.set('two', two)
        const startedAtMs = performance.now()
        expect([one, two, (await bench.ask(bench.fresh())).status]).toEqual([one, two, status])
        // Nobody waits for a silent one when another has accepted.
        if (status === 200) expect(performance.now() - startedAtMs).toBeLessThan(PATIENCE_MS)
      }
    })
  })
}

function staleKeys(runtime: RuntimeName): void {
  describe('with on_outage: stale', () => {
    const bench = keyBench(runtime, ['only'], { ttl_secs: 0.1, on_outage: 'stale', stale_secs: 300 })

    test('an outage keeps nobody out who was in, and lets nobody in who was not', async () => {
      const key = bench.fresh()
      expect((await bench.ask(key)).status).toBe(200)
      expectRefusal(await bench.ask('bad-key'), 'invalid_api_key')
      bench.keys.set('only', 'resets')
      await until(
        async () => {
          expect((await bench.ask(key)).status).toBe(200)
          return bench.asked(key) > 1
        },
        5_000,
        () => 'the key was not asked about again',
      )
      expect((await bench.ask(key)).status).toBe(200)
      expectRefusal(await bench.ask(bench.fresh()), 'key_check_unavailable')
    })
  })
}
