// The handler as isolates run it, over the real objects: what a request costs in calls, who is asked, whose turn it is.

import { evictAllDurableObjects, runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, test, vi } from 'vitest'
import { FleetObject } from '../../src/runtime/cloudflare-fleet.ts'
import {
  advance,
  chatBody,
  chatInit,
  configOf,
  createIsolate,
  fake,
  type Isolate,
  probes,
  root,
  useFleet,
} from './rig.ts'
import { BOUND_CONFIG } from './worker.ts'
import { watchLog } from './watch-log.ts'

useFleet()

interface ErrorBody {
  readonly error: { readonly message: string; readonly type: string; readonly code: string }
}

const methodsOf = (isolate: Isolate): string[] => isolate.calls.map(({ method }) => method)

/** Counts calls of `sync` inside the objects, by object name. */
function countSyncs(): Map<string, number> {
  const counts = new Map<string, number>()
  const sync = FleetObject.prototype.sync
  vi.spyOn(FleetObject.prototype, 'sync').mockImplementation(function counted(this: FleetObject, report) {
    const name = (Reflect.get(this, 'ctx') as DurableObjectState).id.name ?? ''
    counts.set(name, (counts.get(name) ?? 0) + 1)
    return sync.call(this, report)
  })
  return counts
}

describe('calls between request and worker', () => {
  test('one before the first request, none in steady state', async () => {
    const isolate = createIsolate()
    await isolate.chat()
    expect(methodsOf(isolate)).toEqual(['sync'])
    for (let at = 0; at < 100; at += 1) {
      advance(10)
      await isolate.chat()
    }
    expect(isolate.calls).toHaveLength(1)
  })

  test.each(['{type: random}', '{type: least_load}', '{type: power_of_two}', '{type: consistent_hash}'])(
    'none in steady state under %s either',
    async (policy) => {
      const isolate = createIsolate({ config: configOf(policy) })
      await isolate.chat()
      for (let at = 0; at < 20; at += 1) {
        advance(50)
        await isolate.chat()
      }
      expect(isolate.calls).toHaveLength(1)
    },
  )

  test('a request a second goes on for ever without waiting for one', async () => {
    const isolate = createIsolate()
    await isolate.chat()
    for (let at = 0; at < 10; at += 1) {
      advance(1_001)
      const open = isolate.hold()
      const answeredBefore = isolate.answered.length
      const { response, beside } = await isolate.fetch('/v1/chat/completions', chatInit())
      // The worker's answer is here while the object's is still held back.
      expect(response.status).toBe(200)
      expect(isolate.answered).toHaveLength(answeredBefore)
      open()
      await beside
      expect(isolate.answered).toHaveLength(answeredBefore + 1)
    }
  })

  test('a copy between one and two seconds old is refreshed once, beside the requests', async () => {
    const isolate = createIsolate()
    await isolate.chat()
    advance(1_500)
    const open = isolate.hold()
    const first = await isolate.fetch('/v1/chat/completions', chatInit())
    const second = await isolate.fetch('/v1/chat/completions', chatInit())
    expect([first.response.status, second.response.status]).toEqual([200, 200])
    expect(isolate.calls).toHaveLength(2)
    open()
    await Promise.all([first.beside, second.beside])
  })

  test('a copy older than two seconds is refreshed before deciding', async () => {
    const isolate = createIsolate()
    await isolate.chat()
    advance(2_001)
    const answeredBeforeWorker: number[] = []
    fake.onRequest = () => void answeredBeforeWorker.push(isolate.answered.length)
    await isolate.chat()
    expect(answeredBeforeWorker).toEqual([2])
  })

  test('strict turns cost one call a request, to the root', async () => {
    const isolate = createIsolate({ config: configOf('{type: round_robin, strict: true}') })
    await isolate.chat()
    isolate.calls.length = 0
    await isolate.chat()
    await isolate.chat()
    expect(isolate.calls).toEqual([
      { object: 'default/root', method: 'takeTicket' },
      { object: 'default/root', method: 'takeTicket' },
    ])
  })
})

describe('replicas', () => {
  test('isolates are spread over them, each stays with its own, and none asks the root for a sync', async () => {
    const isolates = Array.from({ length: 24 }, () =>
      createIsolate({ config: configOf('{type: random}', 'fleet: {replicas: 4}') }),
    )
    for (let round = 0; round < 3; round += 1) {
      for (const isolate of isolates) await isolate.chat()
      advance(2_001)
    }
    const used = isolates.map(({ calls }) => new Set(calls.map(({ object }) => object)))
    for (const objects of used) expect(objects.size).toBe(1)
    const all = new Set(used.flatMap((objects) => [...objects]))
    expect([...all].every((name) => /^default\/replica\/[0-3]$/.test(name))).toBe(true)
    // 24 isolates all on one of four replicas: once in 10^13 runs.
    expect(all.size).toBeGreaterThan(1)
  })

  test('the root hears from each replica about twice a second, however many isolates there are', async () => {
    const syncs = countSyncs()
    const config = configOf('{type: round_robin}', 'fleet: {replicas: 2}')
    const isolates = Array.from({ length: 12 }, () => createIsolate({ config }))
    for (const isolate of isolates) await isolate.chat()
    syncs.clear()
    const seconds = 5
    for (let tick = 0; tick < seconds * 20; tick += 1) {
      advance(50)
      for (const isolate of isolates) if (tick % 4 === 0) await isolate.chat()
    }
    const replicas = [...syncs.keys()].filter((name) => name.includes('/replica/'))
    const fromIsolates = replicas.reduce((sum, name) => sum + (syncs.get(name) ?? 0), 0)
    expect(fromIsolates).toBeGreaterThanOrEqual(12 * (seconds - 1))
    expect((syncs.get('default/root') ?? 0) / seconds / replicas.length).toBeLessThanOrEqual(2.5)
  })
})

describe('round robin', () => {
  test('strict: exact over two isolates', async () => {
    const config = configOf('{type: round_robin, strict: true}')
    const [left, right] = [createIsolate({ config }), createIsolate({ config })]
    const served = []
    for (const isolate of [left, right, right, left, right, left, left, left, right]) served.push(await isolate.chat())
    expect(served).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c'].map((name) => `${name}.test`))
  })

  test('strict: exact in number when everything comes at once', async () => {
    const config = configOf('{type: round_robin, strict: true}')
    const isolates = [createIsolate({ config }), createIsolate({ config })]
    for (const isolate of isolates) await isolate.fetch('/readiness')
    const served = await Promise.all(Array.from({ length: 30 }, async (_, at) => isolates[at % 2]?.chat()))
    for (const name of ['a.test', 'b.test', 'c.test']) {
      expect(served.filter((worker) => worker === name)).toHaveLength(10)
    }
  })

  test('strict: goes on in turn after every object was put away', async () => {
    const isolate = createIsolate({ config: configOf('{type: round_robin, strict: true}') })
    const served = []
    for (let at = 0; at < 6; at += 1) {
      served.push(await isolate.chat())
      await evictAllDurableObjects()
    }
    expect(served).toEqual(['a', 'b', 'c', 'a', 'b', 'c'].map((name) => `${name}.test`))
  })

  test('in blocks: equal over isolates to one request an isolate', async () => {
    const isolates = Array.from({ length: 4 }, () => createIsolate())
    const served: string[] = []
    for (let at = 0; at < 150; at += 1) {
      for (const isolate of isolates.slice(0, 1 + (at % 4))) served.push(await isolate.chat())
      advance(40)
    }
    const counts = ['a.test', 'b.test', 'c.test'].map((name) => served.filter((worker) => worker === name).length)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(isolates.length)
  })
})

describe('workers that come and go', () => {
  test('one that is down when the fleet starts gets nothing, and is found when it comes up', async () => {
    fake.down.add('b.test')
    const isolate = createIsolate()
    const before = new Set([await isolate.chat(), await isolate.chat(), await isolate.chat(), await isolate.chat()])
    expect([...before].sort()).toEqual(['a.test', 'c.test'])
    fake.down.clear()
    await runDurableObjectAlarm(root())
    advance(2_001)
    const after = new Set([await isolate.chat(), await isolate.chat(), await isolate.chat()])
    expect(after.size).toBe(3)
  })

  test('one that dies is told to the other isolates by the one that noticed', async () => {
    const config = configOf('{type: round_robin}', 'fleet: {replicas: 1}')
    const [noticing, other] = [createIsolate({ config }), createIsolate({ config })]
    await noticing.chat()
    await other.chat()
    fake.down.add('b.test')
    for (let at = 0; at < 6; at += 1) await noticing.chat()
    advance(1_001)
    await noticing.chat()
    advance(1_001)
    await other.chat()
    fake.requests.length = 0
    for (let at = 0; at < 6; at += 1) await other.chat()
    expect(fake.requests.filter((line) => line.includes('b.test'))).toEqual([])
  })
})

describe('when objects cannot be reached', () => {
  const broken = {
    idFromName: (name: string) => ({ name }),
    get: () => ({ sync: () => Promise.reject(new Error('overloaded')) }),
  }

  test('an isolate that has a copy routes on by it', async () => {
    const failing = { isOn: false }
    const FLEET = {
      idFromName: (name: string) => env.FLEET.idFromName(name),
      get: (id: DurableObjectId) => (failing.isOn ? broken.get() : env.FLEET.get(id)),
    }
    const isolate = createIsolate({ env: { FLEET } })
    await isolate.chat()
    failing.isOn = true
    advance(600_000)
    expect(await isolate.chat()).toMatch(/\.test$/)
  })

  test('one that has none answers 503 and says when to come back', async () => {
    const { response } = await createIsolate({ env: { FLEET: broken } }).fetch('/v1/chat/completions', chatInit())
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('2')
    expect((await response.json<ErrorBody>()).error.code).toBe('no_worker')
  })
})

describe('stored responses', () => {
  const create = (fields = {}): RequestInit => ({
    ...chatInit(),
    body: JSON.stringify({ model: 'm', input: 'Hi', ...fields }),
  })
  const servedBy = async ({ response }: { response: Response }) =>
    (await response.json<{ served_by: string }>()).served_by

  test('go to the worker that created them, from any isolate, after every object was put away', async () => {
    const created = await createIsolate().fetch('/v1/responses', create())
    await created.beside
    const worker = await servedBy(created)
    const id = `resp_${worker.slice(0, 1)}`
    await evictAllDurableObjects()
    for (let at = 0; at < 4; at += 1) {
      expect(await servedBy(await createIsolate().fetch(`/v1/responses/${id}`))).toBe(worker)
      const next = await createIsolate().fetch('/v1/responses', create({ previous_response_id: id }))
      expect(await servedBy(next)).toBe(worker)
      await next.beside
    }
  })

  test('are unknown once deleted, and when they never were', async () => {
    const isolate = createIsolate()
    const created = await isolate.fetch('/v1/responses', create())
    await created.beside
    const id = `resp_${(await servedBy(created)).slice(0, 1)}`
    expect((await isolate.fetch(`/v1/responses/${id}`, { method: 'DELETE' })).response.status).toBe(200)
    for (const unknown of [id, 'resp_never']) {
      const { response } = await isolate.fetch(`/v1/responses/${unknown}`)
      expect(response.status).toBe(404)
      expect((await response.json<ErrorBody>()).error.code).toBe('response_not_found')
    }
  })
})

const EVERYWHERE: readonly (readonly [path: string, init?: RequestInit])[] = [
  ['/health'],
  ['/readiness'],
  ['/version'],
  ['/v1/models'],
  ['/nowhere'],
  ['/v1/responses/resp_1'],
  ['/v1/chat/completions', chatInit()],
  ['/v1/messages', chatInit()],
  [
    '/v1/chat/completions',
    { ...chatInit(), headers: { authorization: 'Bearer guess', 'content-type': 'application/json' } },
  ],
]

describe('a router that must not serve', () => {
  test("deployed without a key, it refuses everything with 403 in the caller's shape", async () => {
    const isolate = createIsolate({ config: configOf('{type: random}').replace('allow_anonymous: true', '') })
    for (const [path, init] of EVERYWHERE) {
      const { response } = await isolate.fetch(path, init)
      expect(response.status).toBe(403)
      expect(response.headers.get('x-request-id')).toMatch(/^req-[0-9a-f]{32}$/)
      const { error } = await response.json<ErrorBody>()
      // Anthropic's clients know no codes.
      const code = path.startsWith('/v1/messages') ? {} : { code: 'access_not_configured' }
      expect(error).toMatchObject({ type: 'permission_error', ...code })
      expect(error.message).toContain('inbound_api_key')
    }
    const kept = await isolate.fetch('/v1/messages', { ...chatInit(), headers: { 'x-request-id': 'mine' } })
    expect(kept.response.headers.get('x-request-id')).toBe('mine')
    expect(kept.response.headers.get('x-vllm-router-method')).toBe('rejected')
    expect(isolate.calls).toEqual([])
    expect(fake.requests).toEqual([])
  })

  test.each([
    ['a key', { config: configOf('{type: random}').replace('allow_anonymous: true', 'inbound_api_key: secret') }, 401],
    [
      'a tenant',
      { config: configOf('{type: random}').replace('allow_anonymous: true', 'api_keys: [{name: t, key: secret}]') },
      401,
    ],
    [
      'a service that knows keys',
      {
        config: configOf('{type: random}').replace(
          'allow_anonymous: true',
          'api_key_validation_urls: ["http://keys.test/"]',
        ),
      },
      401,
    ],
    ['`allow_anonymous: true`', {}, 200],
    [
      'being served locally',
      { config: configOf('{type: random}').replace('allow_anonymous: true', ''), env: { ROUTER_SERVE: 'local' } },
      200,
    ],
  ])('%s is what it takes to serve', async (_, options, status) => {
    expect((await createIsolate(options).fetch('/v1/chat/completions', chatInit())).response.status).toBe(status)
  })

  test('with a configuration that is not valid it answers 503 to everything and logs why', async () => {
    const entries = watchLog()
    const isolate = createIsolate({
      env: { ROUTER_CONFIG: 'workers: [{url: "ftp://secret-host"}]\npolcy: {type: random}\n' },
    })
    for (const [path, init] of EVERYWHERE) {
      const { response } = await isolate.fetch(path, init)
      expect(response.status).toBe(503)
      const text = await response.text()
      const code = path.startsWith('/v1/messages') ? undefined : 'config_invalid'
      expect((JSON.parse(text) as ErrorBody).error.code).toBe(code)
      expect(text).not.toContain('secret-host')
    }
    // Once, not once a request: anybody can ask.
    expect(entries.filter(({ level, message }) => level === 'error' && String(message).includes('polcy'))).toHaveLength(
      1,
    )
  })
})

describe('a worker behind a binding', () => {
  const bound = () => createIsolate({ config: BOUND_CONFIG, env: { FLEET: env.BOUND_FLEET } })

  test('is probed and asked through it, with its key, and never over the open network', async () => {
    const { response } = await bound().fetch('/v1/chat/completions', chatInit({ model: 'private' }))
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      through: 'gpu-network',
      url: 'http://10.0.0.7:8000/v1/chat/completions',
      authorization: 'Bearer gpu-key',
      body: chatBody({ model: 'private' }),
    })
    expect(fake.requests).toEqual([])
  })

  test('streams through it', async () => {
    const { response } = await bound().fetch('/v1/chat/completions', chatInit({ model: 'private', stream: true }))
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await response.text()).toMatch(/data: \{.*\}\n\ndata: \[DONE\]\n\n$/s)
  })

  test('whose binding is missing is as good as gone: 503, and no word of where it is', async () => {
    // A deployed Worker logs objects, by the console's method of their level.
    const said: { readonly event: string; readonly attempts?: unknown }[] = []
    vi.spyOn(console, 'debug').mockImplementation((entry) => void said.push(entry))
    const isolate = createIsolate({
      config:
        'log_level: debug\nallow_anonymous: true\nworkers: [{id: gpu, url: "http://10.0.0.7:8000", binding: NOWHERE, models: [private]}]\n',
      env: { FLEET: env.BOUND_FLEET },
    })
    const { response } = await isolate.fetch('/v1/chat/completions', chatInit({ model: 'private' }))
    expect(response.status).toBe(503)
    expect(await response.text()).not.toContain('10.0.0.7')
    const record = said.find(({ event }) => event === 'decision')
    expect(record?.attempts).toMatchObject([{ outcome: 'unreachable', reason: 'no_binding' }])
  })
})

test('one round of probes serves any number of isolates', async () => {
  for (let at = 0; at < 8; at += 1) await createIsolate().chat()
  expect(probes()).toBe(3)
})
