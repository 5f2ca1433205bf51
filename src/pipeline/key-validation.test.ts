import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { digestOfKey } from '../access/key-digest.ts'
import type { KeyValidationConfig } from '../config/config.ts'
import type { SendRequestInit } from '../platform.ts'
import { type KeyServiceFailure, KeyValidation } from './key-validation.ts'

type Respond = (url: string, init: SendRequestInit) => Promise<Response> | Response

const SETTINGS: KeyValidationConfig = {
  urls: ['http://one.test/check'],
  timeoutMs: 1_000,
  acceptedTtlMs: 30_000,
  refusedTtlMs: 5_000,
  onOutage: 'refuse',
  staleMs: 300_000,
}

/** Services by a function, on a clock that a test moves. */
function bench(respond: Respond, settings: Partial<KeyValidationConfig> = {}) {
  const clock = createFakeClock()
  const asked: string[] = []
  const failures: KeyServiceFailure[] = []
  const beside: Promise<unknown>[] = []
  const validation = new KeyValidation({
    settings: { ...SETTINGS, ...settings },
    platform: {
      ...clock,
      async send(url, init) {
        asked.push(`${init.method} ${url} ${new Headers(init.headers).get('authorization')}`)
        return respond(url, init)
      },
      classifySendError: () => ({ phase: 'maybe_sent', reason: 'network' }),
    },
    onFailure: (failure) => void failures.push(failure),
  })
  return {
    asked,
    failures,
    beside,
    pass: clock.advance,
    check: (key: string, signal = new AbortController().signal) =>
      validation.check(key, digestOfKey(key), {
        requestId: 'req-1',
        signal: () => signal,
        waitUntil: (task) => void beside.push(task),
      }),
  }
}

const status = (code: number) => () => new Response(code === 204 || code === 304 ? null : 'words', { status: code })
const never: Respond = () => new Promise<Response>(() => {})
const refusedConnection: Respond = () => Promise.reject(new Error('refused'))
const byUrl =
  (answers: Readonly<Record<string, Respond>>): Respond =>
  (url, init) =>
    (answers[new URL(url).hostname] ?? status(500))(url, init)

describe('one service', () => {
  test('is asked with the key, once while its word is fresh', async () => {
    const { asked, check, pass } = bench(status(200))
    expect(await check('k-1')).toBe('accepted')
    pass(14_999)
    expect(check('k-1')).toBe('accepted')
    expect(asked).toEqual(['GET http://one.test/check Bearer k-1'])
  })

  test.each([200, 201, 204, 401, 403, 400, 404])('status %i is a word', async (code) => {
    const { asked, check } = bench(status(code))
    const verdict = code === 200 ? 'accepted' : 'refused'
    expect(await check('k-1')).toBe(verdict)
    expect(check('k-1')).toBe(verdict)
    expect(asked).toHaveLength(1)
  })

  test.each([301, 302, 307, 408, 429, 500, 502, 503, 504])('status %i is none, and is not kept', async (code) => {
    const { asked, check, failures } = bench(status(code))
    expect(await check('k-1')).toBe('unknown')
    expect(await check('k-1')).toBe('unknown')
    expect(asked).toHaveLength(2)
    expect(failures[0]).toEqual({ requestId: 'req-1', service: 0, why: `status ${code}` })
  })

  test('a refusal is forgotten sooner than an acceptance', async () => {
    let code = 401
    const { check, pass } = bench(() => status(code)())
    expect(await check('k-1')).toBe('refused')
    code = 200
    pass(4_999)
    expect(check('k-1')).toBe('refused')
    pass(1)
    expect(await check('k-1')).toBe('accepted')
  })

  test('has its deadline for everything, the body of its answer included', async () => {
    for (const respond of [never, () => new Response(new ReadableStream())]) {
      const { check, pass, failures } = bench(respond)
      const verdict = check('k-1')
      await Promise.resolve()
      pass(1_000)
      expect(await verdict).toBe('unknown')
      expect(failures[0]?.why).toBe('no whole answer in 1000 ms')
    }
  })

  test('an answer without end is its status', async () => {
    const endless = new ReadableStream({ pull: (sink) => sink.enqueue(new Uint8Array(8_192)) })
    expect(await bench(() => new Response(endless)).check('k-1')).toBe('accepted')
  })

  test('a client that leaves takes the question with it', async () => {
    const client = new AbortController()
    let isAborted = () => false
    const { check } = bench((_, { signal }) => {
      isAborted = () => signal.aborted
      return new Promise<Response>(() => {})
    })
    const verdict = check('k-1', client.signal)
    await Promise.resolve()
    client.abort()
    expect(await verdict).toBe('called_off')
    expect(isAborted()).toBe(true)
  })
})

describe('a busy key', () => {
  test('is asked about beside its requests, by one of them, before its time is up', async () => {
    const { asked, beside, check, pass } = bench(status(200))
    await check('k-1')
    pass(15_000)
    expect([check('k-1'), check('k-1'), check('k-1')]).toEqual(['accepted', 'accepted', 'accepted'])
    expect(beside).toHaveLength(1)
    await Promise.all(beside)
    expect(asked).toHaveLength(2)
    pass(14_999)
    expect(check('k-1')).toBe('accepted')
    expect(asked).toHaveLength(2)
  })

  test('that was withdrawn is found out so, and not only at the end of its time', async () => {
    let code = 200
    const { beside, check, pass } = bench(() => status(code)())
    await check('k-1')
    code = 401
    pass(15_000)
    expect(check('k-1')).toBe('accepted')
    await Promise.all(beside)
    expect(check('k-1')).toBe('refused')
  })

  test('is asked about again when the runtime dropped the question', async () => {
    let respond: Respond = status(200)
    const { beside, check, pass } = bench((url, init) => respond(url, init))
    await check('k-1')
    respond = never
    pass(15_000)
    expect(check('k-1')).toBe('accepted')
    pass(1_001)
    expect(check('k-1')).toBe('accepted')
    expect(beside).toHaveLength(2)
  })
})

describe('a crowd with one key', () => {
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0))

  /** A service that answers when it is told to. */
  function waiting(settings: Partial<KeyValidationConfig> = {}) {
    const answers: ((response: Response) => void)[] = []
    const made = bench(() => new Promise<Response>((resolve) => void answers.push(resolve)), settings)
    return {
      ...made,
      answer: (code: number) => answers.splice(0).forEach((resolve) => resolve(status(code)())),
      /** A request that has to wait for its answer. */
      ask: async (key: string, signal?: AbortSignal) => made.check(key, signal),
      /** Lets those who look do so. */
      async look() {
        await settled()
        made.pass(10)
        await settled()
      },
    }
  }

  test.each([
    [200, 'accepted'],
    [401, 'refused'],
    [500, 'unknown'],
  ] as const)('asks twice between them, and all hear the answer: %i', async (code, verdict) => {
    const { answer, asked, ask, look } = waiting({ refusedTtlMs: 1 })
    const crowd = Promise.all(Array.from({ length: 20 }, () => ask('k-1')))
    await look()
    expect(asked).toHaveLength(2)
    answer(code)
    await look()
    expect(await crowd).toEqual(Array.from({ length: 20 }, () => verdict))
    expect(asked).toHaveLength(2)
  })

  test('holds up nobody with another', async () => {
    const { answer, asked, ask, look } = waiting()
    const crowd = Array.from({ length: 5 }, () => ask('k-1'))
    const other = ask('k-2')
    await look()
    expect(asked).toHaveLength(3)
    answer(200)
    await look()
    expect(await Promise.all([...crowd, other])).not.toContain('unknown')
  })

  test('goes on by those in it whose clients stay', async () => {
    const { answer, asked, ask, look } = waiting()
    const leaving = new AbortController()
    const gone = [ask('k-1', leaving.signal), ask('k-1', leaving.signal), ask('k-1', leaving.signal)]
    const staying = ask('k-1')
    await look()
    leaving.abort()
    await look()
    expect(await Promise.all(gone)).toEqual(['called_off', 'called_off', 'called_off'])
    await look()
    expect(asked).toHaveLength(3)
    answer(200)
    await look()
    expect(await staying).toBe('accepted')
  })

  test('with `stale` goes in on an older word when the service is silent', async () => {
    const { answer, ask, look, pass } = waiting({ onOutage: 'stale' })
    const first = ask('k-1')
    answer(200)
    expect(await first).toBe('accepted')
    pass(30_000)
    const crowd = Promise.all(Array.from({ length: 5 }, () => ask('k-1')))
    await look()
    pass(1_000)
    await look()
    expect(await crowd).toEqual(Array.from({ length: 5 }, () => 'accepted'))
  })
})

describe('an outage', () => {
  test('is told to nobody as a refusal, and its end is noticed at once', async () => {
    let respond: Respond = refusedConnection
    const { check } = bench((url, init) => respond(url, init))
    expect(await check('k-1')).toBe('unknown')
    respond = status(200)
    expect(await check('k-1')).toBe('accepted')
  })

  test('with `refuse` holds up even keys that were accepted, once their time is over', async () => {
    let respond: Respond = status(200)
    const { check, pass } = bench((url, init) => respond(url, init))
    await check('k-1')
    respond = refusedConnection
    pass(29_999)
    expect(check('k-1')).toBe('accepted')
    pass(1)
    expect(await check('k-1')).toBe('unknown')
  })

  test('with `stale` lets accepted keys in for their time, and nobody else', async () => {
    let respond: Respond = (_, { headers }) =>
      status(new Headers(headers).get('authorization') === 'Bearer bad' ? 401 : 200)()
    const bad = (url: string, init: SendRequestInit) => respond(url, init)
    const { check, pass } = bench(bad, { onOutage: 'stale' })
    await check('good')
    await check('bad')
    respond = refusedConnection
    pass(299_999)
    expect(await check('good')).toBe('accepted')
    expect(await check('bad')).toBe('unknown')
    expect(await check('never-seen')).toBe('unknown')
    pass(1)
    expect(await check('good')).toBe('unknown')
  })

  test('with `stale` does not bring back a key that was refused since', async () => {
    let respond: Respond = status(200)
    const { check, pass } = bench((url, init) => respond(url, init), { onOutage: 'stale' })
    await check('k-1')
    respond = status(401)
    pass(30_000)
    expect(await check('k-1')).toBe('refused')
    respond = refusedConnection
    pass(5_000)
    expect(await check('k-1')).toBe('unknown')
  })

  test('that lasts is not waited for: the service is left alone, then one question tries it', async () => {
    let respond: Respond = refusedConnection
    const { asked, check, pass, failures } = bench((url, init) => respond(url, init))
    for (let at = 0; at < 8; at += 1) expect(await check(`k-${at}`)).toBe('unknown')
    expect(asked).toHaveLength(5)
    expect(failures).toHaveLength(5)
    respond = status(200)
    pass(10_000)
    expect(await check('k-1')).toBe('accepted')
    expect(await check('k-2')).toBe('accepted')
  })

  test('of a key on which the service chokes is not one for the others', async () => {
    const choking: Respond = (_, { headers }) =>
      status(new Headers(headers).get('authorization') === 'Bearer evil' ? 500 : 200)()
    const { check } = bench(choking)
    for (let at = 0; at < 20; at += 1) expect(await check('evil')).toBe('unknown')
    expect(await check('good')).toBe('accepted')
  })
})

describe('several services', () => {
  const urls = ['http://one.test/check', 'http://two.test/check', 'http://three.test/check']
  const pair = (one: Respond, two: Respond) =>
    bench(byUrl({ 'one.test': one, 'two.test': two, 'three.test': two }), { urls })

  test('are asked side by side, and any of them may accept', async () => {
    for (const [one, two] of [
      [status(200), status(401)],
      [status(401), status(200)],
      [refusedConnection, status(200)],
      [status(200), refusedConnection],
      [never, status(200)],
    ] as const) {
      const { asked, check } = pair(one, two)
      expect(await check('k-1')).toBe('accepted')
      expect(asked).toHaveLength(3)
    }
  })

  test('refuse together only: one that is silent might have accepted', async () => {
    expect(await pair(status(401), status(403)).check('k-1')).toBe('refused')
    expect(await pair(refusedConnection, status(401)).check('k-1')).toBe('unknown')
    expect(await pair(status(401), status(503)).check('k-1')).toBe('unknown')
  })

  test('those still at it are called off once one has accepted', async () => {
    const signals: AbortSignal[] = []
    const slow: Respond = (_, { signal }) => {
      signals.push(signal)
      return new Promise<Response>(() => {})
    }
    const { check } = pair(slow, status(200))
    await check('k-1')
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  })
})
