// Probes as workers meet them and as routing heeds them: what is asked, with which key, and what becomes of workers that
// die, lie, sleep, or are kept busy by others.

import { describe, expect, test } from 'vitest'
import type { LoggedRequest } from '../../src/simulator/request-log.ts'
import { fetchWhole, send, type Sent } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type HealthBench, healthBench, type Name, NAMES } from './health-bench.ts'

/** Rounds every half second, so that tests need not wait for long. */
const OFTEN = { check_interval_secs: 0.5, timeout_secs: 0.5, failure_threshold: 3, success_threshold: 2 }

/** What a worker may be looked at for the word to be out: rounds, timeouts, and the time it takes to see it from here. */
const FOUND_MS = 3 * (500 + 500) + 2_000

const PROBED = ['/health', '/is_sleeping', '/metrics', '/v1/models']

export function probesConformance(runtime: RuntimeName): void {
  questions(runtime)
  findings(runtime)
  sleep(runtime)
  loadOfOthers(runtime)
}

/** What the router asked a worker by itself: requests of callers have an id. */
function probesOf(bench: HealthBench, name: Name): readonly LoggedRequest[] {
  const { requests } = bench.fleet.worker(name).state()
  return requests.filter(({ headers }) => headers['x-request-id'] === undefined)
}

/** Ids of the workers that `count` requests went to. */
async function servedBy(bench: HealthBench, count: number): Promise<Set<string>> {
  const workers = new Set<string>()
  for (let at = 0; at < count; at += 1) {
    const { status, worker, text } = await bench.chat()
    expect(status, text).toBe(200)
    workers.add(worker)
  }
  return workers
}

function questions(runtime: RuntimeName): void {
  describe(`probes on ${runtime}`, () => {
    const bench = healthBench(runtime, {
      config: { health_check: OFTEN },
      workers: { a: { models: ['m', 'only-a'], enableDevMode: true, logRequests: 100_000 } },
    })

    test('ask for health, models, load and sleep; what is not served is not asked for again', async () => {
      // On Cloudflare nobody asks the workers of a router that nobody uses.
      await servedBy(bench, 3)
      await until(
        () => probesOf(bench, 'b').filter(({ target }) => target === '/metrics').length >= 4,
        8_000,
        () => 'no probes',
      )
      expect([...new Set(probesOf(bench, 'a').map(({ target }) => target))].sort()).toEqual(PROBED)
      const asked = (name: Name, path: string) => probesOf(bench, name).filter(({ target }) => target === path).length
      expect(asked('b', '/is_sleeping')).toBe(1)
      expect(asked('b', '/v1/models')).toBe(1)
      expect(asked('b', '/health')).toBeGreaterThanOrEqual(4)
    })

    test('go on while thirty-two clients are at it', async () => {
      const seen = () => probesOf(bench, 'c').filter(({ target }) => target === '/health').length
      const before = seen()
      const traffic = bench.traffic(32)
      await new Promise((resolve) => setTimeout(resolve, 4_000))
      const during = seen() - before
      const answers = await traffic.stop()
      expect(answers.filter(({ status }) => status !== 200)).toEqual([])
      expect(answers.length).toBeGreaterThan(32)
      // Eight rounds fit; machines that are busy with thirty-two clients may be late for some.
      expect(during).toBeGreaterThanOrEqual(5)
      expect(during).toBeLessThanOrEqual(10)
    })
  })

  describe(`the key of a worker on ${runtime}`, () => {
    const bench = healthBench(runtime, {
      config: { health_check: OFTEN, api_key: 'for-workers' },
      workers: Object.fromEntries(
        NAMES.map((name) => [
          name,
          { models: ['m', `only-${name}`], enableDevMode: true, apiKey: name === 'b' ? 'another' : 'for-workers' },
        ]),
      ),
    })

    test('goes with every probe', async () => {
      expect(await servedBy(bench, 6)).toEqual(new Set(['a', 'c']))
      const probes = probesOf(bench, 'a')
      expect([...new Set(probes.map(({ target }) => target))].sort()).toEqual(PROBED)
      expect(new Set(probes.map(({ headers }) => headers['authorization']))).toEqual(new Set(['Bearer for-workers']))
    })

    test('is found to be wrong, though health asks for none', async () => {
      const shown = await bench.untilWorker('b', ({ availability }) => availability === 'ejected')
      expect(shown.reason).toBe('probe_status')
    })
  })
}

function findings(runtime: RuntimeName): void {
  describe(`what probes find on ${runtime}`, () => {
    // Breakers off: what is seen is the probes' own word.
    const bench = healthBench(runtime, { config: { health_check: OFTEN, disable_circuit_breaker: true } })

    test.each([
      ['refuses connections', { refuse: true }, 'down', 'probe_refused'],
      ['says 503', { health: 503 }, 'ejected', 'probe_status'],
      ['hangs', { hang: true, path: '/health' }, 'ejected', 'probe_timeout'],
      ['answers too late', { slow_headers_ms: 900, path: '/health' }, 'ejected', 'probe_timeout'],
    ])(
      'a worker that %s is found within its intervals and timeouts, and is back when it is well',
      async (_, fault, word, reason) => {
        const { fleet } = bench
        expect((await bench.worker('a')).availability).toBe('up')
        await fleet.worker('a').setFaults(fault)
        const brokenAtMs = performance.now()
        const shown = await bench.untilWorker('a', ({ availability }) => availability === word)
        expect(performance.now() - brokenAtMs).toBeLessThan(FOUND_MS)
        expect(shown.reason).toBe(reason)
        expect(await servedBy(bench, 6)).toEqual(new Set(['b', 'c']))
        await fleet.worker('a').setFaults([])
        await bench.untilWorker('a', ({ availability }) => availability === 'up')
      },
    )

    test('metrics that hang or fail cost a worker nothing', async () => {
      await bench.fleet.worker('b').setFaults([{ hang: true, path: '/metrics' }])
      await bench.fleet.worker('c').setFaults([{ status: 500, path: '/metrics' }])
      await new Promise((resolve) => setTimeout(resolve, 2_500))
      for (const name of ['b', 'c'] as const) expect((await bench.worker(name)).availability).toBe('up')
      await bench.fleet.worker('b').setFaults([])
      await bench.fleet.worker('c').setFaults([])
    })
  })
}

function sleep(runtime: RuntimeName): void {
  describe(`a worker that sleeps on ${runtime}`, () => {
    const bench = healthBench(runtime, {
      config: { health_check: OFTEN },
      workers: { a: { models: ['m', 'only-a'], enableDevMode: true } },
    })
    const tell = (path: string) => fetch(bench.fleet.worker('a').url + path, { method: 'POST' })

    test('gets no traffic though it says that it is well, and comes back', async () => {
      await tell('/sleep?level=1')
      const shown = await bench.untilWorker('a', ({ availability }) => availability === 'asleep')
      expect(shown.reason).toBe('sleeping')
      expect(await servedBy(bench, 9)).toEqual(new Set(['b', 'c']))
      expect((await bench.chat('only-a')).status).toBe(503)
      await tell('/wake_up')
      await bench.untilWorker('a', ({ availability }) => availability === 'up')
      await until(
        async () => (await servedBy(bench, 6)).has('a'),
        8_000,
        () => 'it was never used again',
      )
    })
  })
}

function loadOfOthers(runtime: RuntimeName): void {
  describe(`load from elsewhere on ${runtime}`, () => {
    const bench = healthBench(runtime, {
      // What a worker runs is asked often; nobody is to be out because a busy machine answers late.
      config: { health_check: { ...OFTEN, timeout_secs: 5, failure_threshold: 20 }, policy: 'least_load' },
      workers: Object.fromEntries(
        NAMES.map((name) => [name, { models: ['m', `only-${name}`], itlMs: 20, outputTokens: 20_000 }]),
      ),
    })
    const long = (model: string) => ({ model, messages: [{ role: 'user', content: 'long' }], stream: true })

    /** Opens streams that last; resolves once the worker runs them. */
    async function occupy(name: Name, base: string, count: number): Promise<{ release(): Promise<void> }> {
      const worker = bench.fleet.worker(name)
      const sent: Sent[] = Array.from({ length: count }, () =>
        send(`${base}/v1/chat/completions`, long(`only-${name}`)),
      )
      const runs = (wanted: number) =>
        until(
          () => worker.state().running === wanted,
          20_000,
          () => `${worker.state().running} run, not ${wanted}`,
        )
      await runs(count)
      return {
        release() {
          for (const { leave } of sent) leave('reset')
          return runs(0)
        },
      }
    }

    /** What the decision on one more request made of a worker's load. */
    async function loadOf(name: Name): Promise<Readonly<Record<string, number>>> {
      const body = { ...long('m'), stream: false, max_tokens: 1 }
      const { headers } = await fetchWhole(`${bench.fleet.url}/v1/chat/completions`, body)
      const id = headers['x-request-id']
      const record = await bench.fleet.router.record((line) => line['request_id'] === id)
      const candidates = record['candidates'] as readonly { worker: string; parts?: Record<string, number> }[]
      return candidates.find(({ worker }) => worker === name)?.parts ?? {}
    }

    /** Waits until decisions take so many requests to have come past the router. */
    async function untilOutside(name: Name, holds: (outside: number) => boolean): Promise<void> {
      let parts: Readonly<Record<string, number>> = {}
      await until(
        async () => {
          parts = await loadOf(name)
          return holds(parts['in_flight_outside'] ?? Number.NaN)
        },
        20_000,
        () => `the load of ${name} is ${JSON.stringify(parts)}`,
      )
    }

    test('a worker that others keep busy is avoided until they are done', { timeout: 90_000 }, async () => {
      const { release } = await occupy('a', bench.fleet.worker('a').url, 5)
      // A copy that is a little old has begun to fade into the average.
      await untilOutside('a', (outside) => outside > 4)
      expect(await servedBy(bench, 20)).toEqual(new Set(['b', 'c']))
      await release()
      await untilOutside('a', (outside) => outside === 0)
      // Ties are drawn: of a dozen, every fortieth would leave one worker out.
      expect(await servedBy(bench, 40)).toEqual(new Set(NAMES))
    })

    test('requests of our own are counted once, though the worker counts them too', { timeout: 60_000 }, async () => {
      const { release } = await occupy('b', bench.fleet.url, 4)
      await until(
        () => probesOf(bench, 'b').length > 0 && bench.fleet.worker('b').state().running === 4,
        8_000,
        () => 'no probes',
      )
      for (let round = 0; round < 6; round += 1) {
        expect(await loadOf('b')).toMatchObject({ in_flight_here: 4, in_flight_outside: 0, load: 4 })
        await new Promise((resolve) => setTimeout(resolve, 250))
      }
      await release()
    })
  })
}
