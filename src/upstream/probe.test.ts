// Probes over real sockets: what workers answer, what they don't, and what is asked of them how often.

import { Secret } from '../secret.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { byPath, type HttpWorker, says, startHttpWorker } from '../../test/support/http-worker.ts'
import { freePort } from '../../test/support/launch.ts'
import type { WorkerConfig } from '../config/config.ts'
import { serverRuntime } from '../runtime/node.ts'
import type { WorkerObservation } from '../store/fleet-store.ts'
import { createProber, type Prober, type ProbeTargets } from './probe.ts'

const METRICS = 'vllm:num_requests_running{engine="0"} 2.0\nvllm:num_requests_waiting{engine="0"} 1.0\n'
const MODELS = JSON.stringify({ object: 'list', data: [{ id: 'm' }, { id: 'n' }] })

const WELL = {
  '/health': says(''),
  '/v1/models': says(MODELS),
  '/metrics': says(METRICS),
  '/is_sleeping': says('{"is_sleeping":false}'),
}

const INTERVAL_MS = 5_000
const REFRESH_MS = 30_000

/** For answers that come: a busy machine may take a while. */
const PATIENT_MS = 2_000
/** For those that don't. */
const SHORT_MS = 150

let nowMs = 1_000_000
let worker: HttpWorker

beforeEach(async () => {
  nowMs = 1_000_000
  worker = await startHttpWorker(byPath(WELL))
})
afterEach(() => worker.close())

function workerAt(url: string, given: Partial<WorkerConfig> = {}): WorkerConfig {
  const usual = { id: 'a', isNamed: true, url, models: null, weight: 1, labels: {}, apiKey: null, binding: null }
  return { ...usual, dataParallelSize: 1, ...given }
}

interface Rig extends Prober {
  targets: ProbeTargets
  /** One round over a single worker; fails when it was not asked. */
  once(): Promise<WorkerObservation>
}

function proberOf(workers: readonly WorkerConfig[], health: Partial<ProbeTargets['health']> = {}): Rig {
  const { send } = serverRuntime()
  const platform = {
    now: () => nowMs,
    random: () => 0.5,
    after(delayMs: number, task: () => void) {
      const timer = setTimeout(task, delayMs)
      return () => clearTimeout(timer)
    },
    send,
    binding: () => null,
  }
  const settings = {
    intervalMs: INTERVAL_MS,
    timeoutMs: PATIENT_MS,
    successThreshold: 2,
    endpoint: '/health',
    ...health,
  }
  const rig: Rig = {
    targets: { workers, health: settings, modelRefreshMs: REFRESH_MS },
    ...createProber(platform, () => rig.targets),
    async once() {
      const [observation] = await rig.round()
      if (observation === undefined) throw new Error('the worker was not asked')
      return observation
    },
  }
  return rig
}

/** Lets an interval pass. */
function pass(ms = INTERVAL_MS): void {
  nowMs += ms
}

describe('a worker that is well', () => {
  test('tells all of itself, its key sent along with every question', async () => {
    const { once } = proberOf([workerAt(worker.url, { apiKey: new Secret('worker-key') })])
    expect(await once()).toEqual({
      workerId: 'a',
      atMs: nowMs,
      health: 'ok',
      status: 200,
      models: ['m', 'n'],
      isAsleep: false,
      load: { running: 2, waiting: 1, kvUsage: null, tokensTotal: null, atMs: nowMs },
    })
    expect(worker.paths.toSorted()).toEqual(['/health', '/is_sleeping', '/metrics', '/v1/models'])
    expect(new Set(worker.keys)).toEqual(new Set(['Bearer worker-key']))
  })

  test('is asked for its models when they are due only, and for its load each time', async () => {
    const { once } = proberOf([workerAt(worker.url)])
    for (let round = 0; round < 7; round += 1) {
      expect(await once()).toMatchObject({ models: ['m', 'n'], load: { running: 2 } })
      pass()
    }
    const countOf = (path: string) => worker.paths.filter((asked) => asked === path).length
    expect([countOf('/v1/models'), countOf('/metrics'), countOf('/health')]).toEqual([2, 7, 7])
  })

  test('serves the models that are configured, whatever it lists', async () => {
    const { once } = proberOf([workerAt(worker.url, { models: ['own'] })])
    expect(await once()).toMatchObject({ health: 'ok', models: ['own'] })
  })

  test('may be asleep, and is asked again each time', async () => {
    const { once } = proberOf([workerAt(worker.url)])
    worker.answer(byPath({ ...WELL, '/is_sleeping': says('{"is_sleeping": true}') }))
    expect(await once()).toMatchObject({ health: 'ok', isAsleep: true })
    pass()
    worker.answer(byPath({ ...WELL, '/is_sleeping': says('busy', 500) }))
    expect(await once()).toMatchObject({ isAsleep: true })
    pass(60_000)
    worker.answer(byPath(WELL))
    expect(await once()).toMatchObject({ isAsleep: false })
  })
})

describe('what a worker does not serve', () => {
  test('is not known, and not asked for again for a minute', async () => {
    worker.answer(byPath({ '/health': WELL['/health'], '/v1/models': WELL['/v1/models'] }))
    const { once } = proberOf([workerAt(worker.url)])
    expect(await once()).toMatchObject({ health: 'ok', isAsleep: null, load: null })
    for (let round = 0; round < 11; round += 1) {
      pass()
      await once()
    }
    expect(worker.paths.filter((path) => path === '/metrics' || path === '/is_sleeping')).toHaveLength(2)
    pass()
    await once()
    expect(worker.paths.filter((path) => path === '/metrics' || path === '/is_sleeping')).toHaveLength(4)
  })

  test('metrics of five megabytes say nothing, cost the worker nothing, and are left alone for a while', async () => {
    const line = `vllm:num_requests_running{engine="0"} 2.0\nvllm:num_requests_waiting{engine="0"} 1.0\n# ${'x'.repeat(940)}\n`
    const readable = line.repeat(3_500)
    worker.answer(byPath({ ...WELL, '/metrics': says(readable) }))
    const { once } = proberOf([workerAt(worker.url)], { timeoutMs: 5_000 })
    expect(await once()).toMatchObject({ health: 'ok', load: { running: 7_000, waiting: 3_500 } })
    worker.answer(byPath({ ...WELL, '/metrics': says(line.repeat(5_200)) }))
    pass(60_000)
    expect(await once()).toMatchObject({ health: 'ok', models: ['m', 'n'], isAsleep: false, load: null })
    // Nor is it downloaded again the next time.
    const asked = () => worker.paths.filter((path) => path === '/metrics').length
    const before = asked()
    pass()
    await once()
    expect(asked()).toBe(before)
  })

  test('without /health, one that lists its models is well, and so is one with no list either', async () => {
    worker.answer(byPath({ '/v1/models': says(MODELS) }))
    const { once } = proberOf([workerAt(worker.url)])
    expect(await once()).toMatchObject({ health: 'ok', status: 200, models: ['m', 'n'] })
    pass()
    expect(await once()).toMatchObject({ health: 'ok' })
    expect(worker.paths.filter((path) => path === '/health')).toHaveLength(1)
    worker.answer(byPath({}))
    pass()
    expect(await once()).toMatchObject({ health: 'ok', status: 404, models: [] })
  })

  test('without /health, one whose list fails is not well', async () => {
    worker.answer(byPath({ '/v1/models': says('', 500) }))
    expect(await proberOf([workerAt(worker.url)]).once()).toMatchObject({ health: 'bad_status', status: 500 })
  })

  test('an endpoint somebody chose has to be there', async () => {
    const { once } = proberOf([workerAt(worker.url)], { endpoint: '/ready' })
    expect(await once()).toMatchObject({ health: 'bad_status', status: 404 })
    expect(worker.paths).toEqual(['/ready'])
  })
})

describe('a worker that is not well', () => {
  test.each([
    ['503, as a dead engine says', says('', 503), { health: 'bad_status', status: 503 }],
    ['401', says('', 401), { health: 'bad_status', status: 401 }],
    ['no answer', () => {}, { health: 'timeout', status: null }],
    [
      'headers and no end',
      (_: unknown, response: { write(text: string): void }) => response.write('o'),
      { health: 'timeout' },
    ],
    [
      'a reset, twice',
      (_: unknown, { socket }: { socket: { destroy(): void } | null }) => socket?.destroy(),
      { health: 'unreachable' },
    ],
  ])('%s', async (_, answer, expected) => {
    worker.answer(byPath({ ...WELL, '/health': answer }))
    const timeoutMs = expected.health === 'timeout' ? SHORT_MS : PATIENT_MS
    const observation = await proberOf([workerAt(worker.url)], { timeoutMs }).once()
    expect(observation).toMatchObject({ ...expected, models: null, isAsleep: null, load: null })
    // Nothing else is asked of it.
    expect(new Set(worker.paths)).toEqual(new Set(['/health']))
  })

  test('nobody listens, or the name is none', async () => {
    const port = await freePort()
    const { round } = proberOf([
      workerAt(`http://127.0.0.1:${port}`),
      workerAt('http://no-such-host.invalid', { id: 'b' }),
      workerAt(worker.url, { id: 'c', binding: 'NOT_HERE' }),
    ])
    expect((await round()).map(({ health }) => health)).toEqual(['unreachable', 'unreachable', 'unreachable'])
  })

  test('a redirect is not followed, so nobody else gets the key', async () => {
    const elsewhere = await startHttpWorker(byPath(WELL))
    worker.answer((_, response) => void response.writeHead(307, { location: `${elsewhere.url}/health` }).end())
    expect(await proberOf([workerAt(worker.url, { apiKey: new Secret('k') })]).once()).toMatchObject({
      health: 'bad_status',
      status: 307,
    })
    expect(elsewhere.paths).toEqual([])
    await elsewhere.close()
  })

  test('one that refuses our key is of no use though its /health asks for none', async () => {
    worker.answer(byPath({ ...WELL, '/v1/models': says('{"error":"Unauthorized"}', 401) }))
    const { once } = proberOf([workerAt(worker.url, { apiKey: new Secret('wrong'), models: ['m'] })])
    for (let round = 0; round < 3; round += 1) {
      expect(await once()).toMatchObject({ health: 'bad_status', status: 401, models: ['m'] })
    }
    worker.answer(byPath(WELL))
    expect(await once()).toMatchObject({ health: 'ok' })
  })

  test('one connection that breaks is no failure: the worker may have closed an idle one', async () => {
    let isFirst = true
    worker.answer((request, response) => {
      if (isFirst) request.socket.destroy()
      else byPath(WELL)(request, response)
      isFirst = false
    })
    expect(await proberOf([workerAt(worker.url)]).once()).toMatchObject({ health: 'ok' })
  })

  test('one that came back is asked for its models anew', async () => {
    const { once } = proberOf([workerAt(worker.url)])
    await once()
    worker.answer(says('', 503))
    pass()
    await once()
    worker.answer(byPath({ ...WELL, '/v1/models': says('{"data":[{"id":"other"}]}') }))
    expect(await once()).toMatchObject({ health: 'ok', models: ['other'] })
  })
})

describe('hostile metrics', () => {
  test('a gigabyte is cut off', async () => {
    let sentBytes = 0
    const mebibyte = Buffer.alloc(1024 * 1024, 'vllm:num_requests_running 1\n')
    worker.answer(
      byPath({
        ...WELL,
        '/metrics': (_, response) => {
          const send = () => {
            while (sentBytes < 2 ** 30) {
              sentBytes += mebibyte.length
              if (!response.write(mebibyte)) return void response.once('drain', send)
            }
            response.end()
          }
          send()
        },
      }),
    )
    const { once } = proberOf([workerAt(worker.url)], { timeoutMs: 5_000 })
    expect(await once()).toMatchObject({ health: 'ok', models: ['m', 'n'], load: null })
    // What fits into the buffers of both ends, not what was on offer.
    expect(sentBytes).toBeLessThan(64 * 1024 * 1024)
  })

  test.each([
    ['that never end', (_: unknown, response: { write(text: string): void }) => response.write(METRICS)],
    [
      'that break off',
      (_: unknown, response: { write(text: string): void; destroy(): void }) => (
        response.write(METRICS),
        response.destroy()
      ),
    ],
    ['that are a web page', says('<html><body>Please sign in.</body></html>')],
    ['that fail', says(METRICS, 500)],
  ])('%s say nothing, and leave the worker well', async (_, answer) => {
    worker.answer(byPath({ ...WELL, '/metrics': answer }))
    expect(await proberOf([workerAt(worker.url)]).once()).toMatchObject({
      health: 'ok',
      models: ['m', 'n'],
      load: null,
    })
  })
})

describe('rounds', () => {
  const many = (count: number) => Array.from({ length: count }, (_, at) => workerAt(worker.url, { id: `w${at}` }))

  test.each([
    [3, 6],
    [16, 6],
    [40, 18],
  ])('%i workers are asked over %i connections at once', async (count, connections) => {
    worker.answer((request, response) => void setTimeout(() => byPath(WELL)(request, response), 3))
    const observations = await proberOf(many(count), { timeoutMs: 5_000 }).round()
    expect(observations.map(({ workerId }) => workerId)).toEqual(many(count).map(({ id }) => id))
    expect(worker.paths).toHaveLength(4 * count)
    expect(worker.most()).toBeLessThanOrEqual(connections)
  })

  test('sixteen workers that all hang take three timeouts', async () => {
    worker.answer(() => {})
    const startedAtMs = performance.now()
    const observations = await proberOf(many(16), { timeoutMs: SHORT_MS }).round()
    expect(observations.every(({ health }) => health === 'timeout')).toBe(true)
    expect(performance.now() - startedAtMs).toBeLessThan(10 * SHORT_MS)
  })

  test('come after an interval, and after a second at most while a worker is missing or unproven', async () => {
    const prober = proberOf([workerAt(worker.url)])
    expect(prober.nextRoundMs()).toBe(1_000)
    await prober.round()
    expect(prober.nextRoundMs()).toBe(INTERVAL_MS)
    worker.answer(says('', 503))
    pass()
    await prober.round()
    expect(prober.nextRoundMs()).toBe(1_000)
    worker.answer(byPath(WELL))
    await prober.round()
    // Once is not enough for one that was gone.
    expect(prober.nextRoundMs()).toBe(1_000)
    await prober.round()
    expect(prober.nextRoundMs()).toBe(INTERVAL_MS)
  })

  test('ask those that are well at their own pace while another is missing', async () => {
    const gone = await startHttpWorker(() => {})
    await gone.close()
    const prober = proberOf([workerAt(worker.url), workerAt(gone.url, { id: 'b' })])
    await prober.round()
    const asked: string[][] = []
    for (let round = 0; round < 6; round += 1) {
      pass(1_000)
      asked.push((await prober.round()).map(({ workerId }) => workerId))
    }
    expect(asked).toEqual([['b'], ['b'], ['b'], ['b'], ['a', 'b'], ['b']])
  })

  test('ask those in doubt, due or not', async () => {
    const prober = proberOf([workerAt(worker.url), workerAt(worker.url, { id: 'b' })])
    await prober.round()
    expect((await prober.round(new Set(['b']))).map(({ workerId }) => workerId)).toEqual(['b'])
    expect(await prober.round()).toEqual([])
  })

  test('two at once are one', async () => {
    const prober = proberOf([workerAt(worker.url)])
    const [one, two] = await Promise.all([prober.round(), prober.round()])
    expect([one?.length, two?.length]).toEqual([1, 0])
  })
})

describe('a reload in the middle of a round', () => {
  test('drops what was learned of workers that left or moved', async () => {
    const moved = await startHttpWorker(byPath(WELL))
    const stays = workerAt(worker.url, { id: 'stays' })
    const prober = proberOf([stays, workerAt(worker.url, { id: 'leaves' }), workerAt(worker.url, { id: 'moves' })])
    const round = prober.round()
    prober.targets = { ...prober.targets, workers: [stays, workerAt(moved.url, { id: 'moves' })] }
    expect((await round).map(({ workerId }) => workerId)).toEqual(['stays'])
    // The one that moved is new, and asked at once; the one that stayed is not due.
    expect((await prober.round()).map(({ workerId }) => workerId)).toEqual(['moves'])
    expect(moved.paths).toContain('/v1/models')
    await moved.close()
  })

  test('asks with the new key from the next round on', async () => {
    const prober = proberOf([workerAt(worker.url, { apiKey: new Secret('old') })])
    await prober.round()
    prober.targets = { ...prober.targets, workers: [workerAt(worker.url, { apiKey: new Secret('new') })] }
    await prober.round()
    expect(worker.keys.at(-1)).toBe('Bearer new')
    expect(worker.paths.filter((path) => path === '/v1/models')).toHaveLength(2)
  })
})

describe('through a binding', () => {
  const seen: Request[] = []
  const proberThrough = (answer: () => Response) => {
    const platform = {
      now: () => nowMs,
      random: () => 0.5,
      after(delayMs: number, task: () => void) {
        const timer = setTimeout(task, delayMs)
        return () => clearTimeout(timer)
      },
      send: () => Promise.reject(new Error('asked past the binding')),
      binding: (name: string) =>
        name === 'GPU' ? { fetch: async (request: Request) => (seen.push(request), answer()) } : null,
    }
    const health = { intervalMs: INTERVAL_MS, timeoutMs: 50, successThreshold: 2, endpoint: '/health' }
    const workers = [workerAt('http://10.0.0.7:8000', { binding: 'GPU', apiKey: new Secret('gpu-key') })]
    return createProber(platform, () => ({ workers, health, modelRefreshMs: REFRESH_MS }))
  }
  beforeEach(() => void seen.splice(0))

  test('it is asked as others are, its key sent, redirects not followed', async () => {
    const [observation] = await proberThrough(() => Response.json({ data: [{ id: 'private' }] })).round()
    expect(observation).toMatchObject({ health: 'ok', models: ['private'], load: null, isAsleep: null })
    expect(seen.map(({ url }) => url).sort()).toEqual(
      ['/health', '/is_sleeping', '/metrics', '/v1/models'].map((path) => `http://10.0.0.7:8000${path}`),
    )
    expect(new Set(seen.map(({ redirect }) => redirect))).toEqual(new Set(['manual']))
    expect(new Set(seen.map(({ headers }) => headers.get('authorization')))).toEqual(new Set(['Bearer gpu-key']))
  })

  test('a body that no abort breaks off ends with the time for it', async () => {
    const [observation] = await proberThrough(() => new Response(new ReadableStream())).round()
    expect(observation).toMatchObject({ health: 'timeout', status: null })
  })
})
