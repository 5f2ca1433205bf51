// Configurations over isolates: which is current travels with the fleet's state, documents lie in KV, and the root object
// settles who was first.

import { evictAllDurableObjects, evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, test, vi } from 'vitest'
import { documentKey, POINTER_KEY } from '../../src/runtime/cloudflare-config-store.ts'
import { advance, chatInit, createIsolate, fake, type Isolate, root, useFleet } from './rig.ts'
import { watchLog } from './watch-log.ts'

useFleet()

const ADMIN = { authorization: 'Bearer admin-key' }
const START = 'start-key'
const NEXT = 'next-key'

/** The pool of the tests' objects, open to one key. */
function configOf(key: string, more = ''): string {
  return `
workers:
  - {id: a, url: "http://a.test"}
  - {id: b, url: "http://b.test"}
  - {id: c, url: "http://c.test"}
inbound_api_key: ${key}
admin_api_key: admin-key
allowed_worker_hosts: ["http://*.test"]
${more}`
}

const isolateOf = (more: object = {}): Isolate => createIsolate({ config: configOf(START), ...more })

/** A replica hands on what it heard half a second ago at most. */
const letReplicasHear = () => advance(501)

interface Answer {
  readonly status: number
  // Bodies differ by route; each test looks at what it needs.
  // oxlint-disable-next-line typescript/no-explicit-any -- what JSON.parse gives
  readonly body: any
}

async function call(isolate: Isolate, method: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const { response, beside } = await isolate.fetch(path, { ...init, method, headers: { ...ADMIN, ...init.headers } })
  const text = await response.text()
  await beside
  return { status: response.status, body: text === '' ? null : JSON.parse(text) }
}

const put = (isolate: Isolate, text: string) =>
  call(isolate, 'PUT', '/admin/config', { body: text, headers: { 'content-type': 'application/yaml' } })

async function statusWith(isolate: Isolate, key: string): Promise<number> {
  const init = chatInit()
  const { response, beside } = await isolate.fetch('/v1/chat/completions', {
    ...init,
    headers: { ...init.headers, authorization: `Bearer ${key}` },
  })
  await response.text()
  await beside
  return response.status
}

describe('a configuration that was put to one isolate', () => {
  test('runs there at once, and two seconds later everywhere: the old key is dead, the new one good', async () => {
    const [first, second, third] = [isolateOf(), isolateOf(), isolateOf()]
    for (const isolate of [first, second, third]) expect(await statusWith(isolate, START)).toBe(200)
    const { status, body } = await put(first, configOf(NEXT))
    expect([status, body.changed]).toEqual([200, ['inbound_api_key']])
    expect([await statusWith(first, START), await statusWith(first, NEXT)]).toEqual([401, 200])
    advance(2_001)
    for (const isolate of [second, third]) {
      expect([await statusWith(isolate, START), await statusWith(isolate, NEXT)]).toEqual([401, 200])
    }
  })

  test('is noticed beside the requests of a busy isolate, within two seconds', async () => {
    const [first, busy] = [isolateOf(), isolateOf()]
    expect(await statusWith(busy, START)).toBe(200)
    await put(first, configOf(NEXT))
    const statuses = []
    for (let at = 0; at < 20; at += 1) {
      advance(100)
      statuses.push(await statusWith(busy, START))
    }
    expect(statuses.at(-1)).toBe(401)
    expect(statuses.filter((status) => status !== 200 && status !== 401)).toEqual([])
  })

  test('is no later in an isolate with little to do: a request that knows of it waits for it', async () => {
    const [first, quiet] = [isolateOf(), isolateOf()]
    expect(await statusWith(quiet, START)).toBe(200)
    await put(first, configOf(NEXT))
    // Young enough to decide on, old enough to ask again beside the request.
    advance(1_100)
    expect(await statusWith(quiet, START)).toBe(200)
    advance(950)
    expect([await statusWith(quiet, START), await statusWith(quiet, NEXT)]).toEqual([401, 200])
  })

  test('is not waited for by every request while its document can not be had', async () => {
    const [first, quiet] = [isolateOf(), isolateOf()]
    expect(await statusWith(quiet, START)).toBe(200)
    const { body } = await put(first, configOf(NEXT))
    await env.CONFIG.put(documentKey(body.hash), 'workers: []')
    advance(2_001)
    expect(await statusWith(quiet, START)).toBe(200)
    const read = vi.spyOn(Object.getPrototypeOf(env.CONFIG), 'get')
    for (let at = 0; at < 20; at += 1) expect(await statusWith(quiet, START)).toBe(200)
    expect(read).not.toHaveBeenCalled()
  })

  test('is what an isolate begins with, before its first request', async () => {
    await put(isolateOf(), configOf(NEXT))
    letReplicasHear()
    const late = isolateOf()
    expect([await statusWith(late, START), await statusWith(late, NEXT)]).toEqual([401, 200])
  })

  test('is nothing to probes of the process, which cost no call', async () => {
    const isolate = isolateOf()
    for (const path of ['/health', '/liveness', '/version', '/health?x=1']) {
      expect((await isolate.fetch(path)).response.status).toBe(200)
    }
    expect(isolate.calls).toEqual([])
  })

  test('costs no calls in steady state', async () => {
    const isolate = isolateOf()
    await put(isolate, configOf(NEXT))
    await statusWith(isolate, NEXT)
    isolate.calls.length = 0
    for (let at = 0; at < 50; at += 1) {
      advance(10)
      await statusWith(isolate, NEXT)
    }
    // What it counted it tells beside requests; here each has its pause at once.
    expect(isolate.calls.filter(({ method }) => method !== 'reportCounts')).toEqual([])
  })

  test('outlives every object', async () => {
    await put(isolateOf(), configOf(NEXT))
    await evictAllDurableObjects()
    const late = isolateOf()
    expect(await statusWith(late, NEXT)).toBe(200)
    const { body } = await call(late, 'GET', '/admin/config/versions')
    expect(body.versions).toMatchObject([
      { sequence: 1, by: 'admin_api_key', origin: 'api', is_current: true },
      { sequence: 0, by: 'deployment', origin: 'bundled' },
    ])
  })

  test('is probed by the root: a worker it adds is asked, one it removes is not', async () => {
    const isolate = isolateOf()
    await statusWith(isolate, START)
    const four = configOf(START).replace('  - {id: c, url: "http://c.test"}', '  - {id: d, url: "http://d.test"}')
    await put(isolate, four)
    await evictDurableObject(root())
    fake.requests.length = 0
    await vi.waitFor(
      async () => {
        await runInDurableObject(root(), (object) => object.alarm())
        expect(fake.requests.some((line) => line.includes('//d.test'))).toBe(true)
      },
      { timeout: 2_000 },
    )
    expect(fake.requests.filter((line) => line.includes('//c.test'))).toEqual([])
  })
})

describe('documents', () => {
  test('lie in KV under their hash, and never change there', async () => {
    const isolate = isolateOf()
    const { body } = await put(isolate, configOf(NEXT))
    expect(await env.CONFIG.get(documentKey(body.hash))).toBe(configOf(NEXT))
    expect(JSON.parse((await env.CONFIG.get(POINTER_KEY)) ?? '')).toMatchObject({ hash: body.hash, sequence: 1 })
    const first = await call(isolate, 'GET', '/admin/config/versions')
    expect(await env.CONFIG.get(documentKey(first.body.versions[1].hash))).toBe(configOf(START))
  })

  test('that KV does not show yet come from the root', async () => {
    const { body } = await put(isolateOf(), configOf(NEXT))
    await env.CONFIG.delete(documentKey(body.hash))
    letReplicasHear()
    expect(await statusWith(isolateOf(), NEXT)).toBe(200)
  })

  test('that KV would not take are handed to it later', async () => {
    const kv = env.CONFIG
    const refuse = vi.spyOn(Object.getPrototypeOf(kv), 'put').mockRejectedValue(new Error('429'))
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const isolate = isolateOf()
    const { status, body } = await put(isolate, configOf(NEXT))
    expect(status).toBe(200)
    expect(await kv.get(documentKey(body.hash))).toBeNull()
    letReplicasHear()
    expect(await statusWith(isolateOf(), NEXT)).toBe(200)
    refuse.mockRestore()
    advance(10_000)
    await statusWith(isolate, NEXT)
    await vi.waitFor(async () => expect(await kv.get(documentKey(body.hash))).toBe(configOf(NEXT)), { timeout: 2_000 })
  })

  test('need a KV namespace: without one nothing can be published, and what was deployed runs', async () => {
    const isolate = isolateOf({ env: { CONFIG: undefined } })
    const { status, body } = await put(isolate, configOf(NEXT))
    expect([status, body.error.code]).toEqual([503, 'config_unavailable'])
    expect(body.error.message).toContain('CONFIG')
    expect(await statusWith(isolate, START)).toBe(200)
  })
})

describe('an isolate that starts while the objects can not be reached', () => {
  const broken = {
    idFromName: (name: string) => env.FLEET.idFromName(name),
    get: () => new Proxy({}, { get: () => () => Promise.reject(new Error('object is out of reach')) }),
  }
  /** Answered by the objects of a pool that was asked before; this isolate can reach none of them. */
  const cutOff = () => isolateOf({ env: { FLEET: broken } })

  test('goes by the copy in KV', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    await put(isolateOf(), configOf(NEXT))
    const isolate = cutOff()
    expect(await statusWith(isolate, START)).toBe(401)
    expect(await statusWith(isolate, NEXT)).not.toBe(401)
  })

  test('serves what was deployed where nothing was ever published', async () => {
    expect(await statusWith(cutOff(), NEXT)).toBe(401)
    expect(await statusWith(cutOff(), START)).not.toBe(401)
  })

  test.each(['drain', 'undrain'])('tells an operator that it can not %s now, and to try again', async (deed) => {
    const headers = { 'content-type': 'application/json' }
    const { status, body } = await call(cutOff(), 'POST', `/admin/${deed}`, { headers, body: '{"id": "a"}' })
    expect([status, body.error.code]).toEqual([503, 'fleet_unavailable'])
  })

  test('refuses to guess when KV can not be reached either', async () => {
    vi.spyOn(Object.getPrototypeOf(env.CONFIG), 'get').mockRejectedValue(new Error('KV is out of reach'))
    const { response } = await cutOff().fetch('/v1/chat/completions', chatInit())
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ error: { code: 'config_unavailable' } })
  })
})

describe('changes at the same time', () => {
  test('of fifty over eight isolates, one wins each sequence and the others get 409', async () => {
    const isolates = Array.from({ length: 8 }, () => isolateOf())
    for (const isolate of isolates) await statusWith(isolate, START)
    const puts = Array.from({ length: 50 }, (_, at) => put(isolates[at % 8] ?? isolateOf(), configOf(`key-${at}`)))
    const answers = await Promise.all(puts)
    const won = answers.filter(({ status }) => status === 200)
    const lost = answers.filter(({ status }) => status === 409)
    expect(won.length + lost.length).toBe(50)
    expect(new Set(won.map(({ body }) => body.sequence)).size).toBe(won.length)
    expect(lost.every(({ body }) => body.error.code === 'config_conflict')).toBe(true)
    const { body } = await call(isolates[0] ?? isolateOf(), 'GET', '/admin/config')
    expect(body.sequence).toBe(won.length)
  })
})

describe('going back', () => {
  test('to the one before, and to what was deployed', async () => {
    const [isolate, other] = [isolateOf(), isolateOf()]
    await put(isolate, configOf('one'))
    await put(isolate, configOf('two'))
    const back = await call(isolate, 'POST', '/admin/config/rollback')
    expect([back.status, back.body.sequence]).toEqual([200, 3])
    expect(await statusWith(isolate, 'one')).toBe(200)
    const reloaded = await call(other, 'POST', '/admin/reload')
    expect([reloaded.status, reloaded.body.sequence, reloaded.body.changed]).toEqual([200, 4, ['inbound_api_key']])
    advance(2_001)
    expect(await statusWith(isolate, START)).toBe(200)
    const { body } = await call(isolate, 'GET', '/admin/config')
    expect(body).toMatchObject({ sequence: 4, origin: 'bundled' })
  })

  test('what was deployed stays what is run when it is deployed anew', async () => {
    const isolate = isolateOf()
    await put(isolate, configOf(NEXT))
    await call(isolate, 'POST', '/admin/reload')
    letReplicasHear()
    const redeployed = createIsolate({ config: configOf('deployed-later') })
    expect(await statusWith(redeployed, 'deployed-later')).toBe(200)
  })
})

describe('a secret that a document names', () => {
  const text = configOf('${KEY:-unset-key}', 'config_env: [KEY]')
  const isolateWith = (key: string) =>
    createIsolate({ config: configOf(START, 'config_env: [KEY]'), env: { KEY: key } })

  test('is that of the deployment, and goes on to be when it is rotated there', async () => {
    const before = isolateWith('first-secret')
    const published = await put(before, text)
    expect([published.status, published.body.sequence]).toEqual([200, 1])
    expect(await statusWith(before, 'first-secret')).toBe(200)
    letReplicasHear()
    const after = isolateWith('second-secret')
    expect([await statusWith(after, 'first-secret'), await statusWith(after, 'second-secret')]).toEqual([401, 200])
    const { body } = await call(after, 'GET', '/admin/config')
    expect([body.sequence, body.hash === published.body.hash]).toEqual([1, false])
    // What is shown is what a change may be made from.
    const headers = { 'content-type': 'application/yaml', 'if-match': `"${body.hash}"` }
    const changed = await call(after, 'PUT', '/admin/config', { headers, body: `${text}\nlog_level: error\n` })
    expect([changed.status, changed.body.changed]).toEqual([200, ['log_level']])
    const back = await call(after, 'POST', '/admin/config/rollback', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ hash: published.body.hash }),
    })
    expect([back.status, back.body.changed]).toEqual([200, ['log_level']])
    expect([await statusWith(after, 'first-secret'), await statusWith(after, 'second-secret')]).toEqual([401, 200])
  })
})

describe('a document that this router can not use', () => {
  test('leaves an isolate on what it ran, and says so once a second', async () => {
    const entries = watchLog()
    const isolate = isolateOf()
    expect(await statusWith(isolate, START)).toBe(200)
    const { body } = await put(isolateOf(), configOf(NEXT))
    await env.CONFIG.put(documentKey(body.hash), 'workers: []')
    advance(2_001)
    expect(await statusWith(isolate, START)).toBe(200)
    const told = entries.filter(({ event }) => event === 'config_store_failed')
    expect(told.length).toBeGreaterThan(0)
  })
})

test('a drain is seen by every isolate within two seconds', async () => {
  const isolates = Array.from({ length: 4 }, () => isolateOf())
  for (const isolate of isolates) await statusWith(isolate, START)
  const headers = { 'content-type': 'application/json' }
  const drained = await call(isolates[0] ?? isolateOf(), 'POST', '/admin/drain', { headers, body: '{"id": "a"}' })
  expect([drained.status, drained.body]).toEqual([
    202,
    { status: 'draining', id: 'a', url: 'http://a.test', timeout_secs: 300 },
  ])
  advance(2_001)
  fake.requests.length = 0
  for (const isolate of isolates) for (let at = 0; at < 6; at += 1) await statusWith(isolate, START)
  expect(fake.requests.filter((line) => line.startsWith('POST http://a.test'))).toEqual([])
  expect(fake.requests.filter((line) => line.startsWith('POST '))).toHaveLength(24)
})

test('a drain outlives changes of the configuration, going back, and every object', async () => {
  const isolate = isolateOf()
  await statusWith(isolate, START)
  const headers = { 'content-type': 'application/json' }
  await call(isolate, 'POST', '/admin/drain', { headers, body: '{"id": "a", "timeout_secs": 0}' })
  const drainOf = async (from: Isolate) => (await call(from, 'GET', '/admin/drain/status?id=a')).body
  expect(await drainOf(isolate)).toMatchObject({ draining: true })
  await put(isolate, configOf(START, 'log_level: error'))
  await call(isolate, 'POST', '/admin/config/rollback')
  await call(isolate, 'POST', '/admin/reload')
  expect(await drainOf(isolate)).toMatchObject({ draining: true })
  await evictAllDurableObjects()
  const late = isolateOf()
  expect(await drainOf(late)).toMatchObject({ draining: true })
  fake.requests.length = 0
  for (let at = 0; at < 6; at += 1) await statusWith(late, START)
  expect(fake.requests.filter((line) => line.startsWith('POST http://a.test'))).toEqual([])
  expect((await call(late, 'POST', '/admin/undrain', { headers, body: '{"url": "http://a.test"}' })).status).toBe(200)
  expect(await drainOf(late)).toMatchObject({ draining: false, state: 'active' })
})

test('a deployed router without an admin key tells so, whatever the Host header says', async () => {
  const isolate = createIsolate({ config: 'workers: [{url: "http://a.test"}]\nallow_anonymous: true' })
  for (const host of ['router.test', 'localhost', '127.0.0.1:8787']) {
    const { response } = await isolate.fetch('/admin/config', { headers: { host } })
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ error: { code: 'admin_not_configured' } })
  }
})

test('a configuration that would close a deployed router is refused', async () => {
  const { status, body } = await put(isolateOf(), configOf(START).replace(/inbound_api_key: .*/, ''))
  expect(status).toBe(400)
  expect(body.error.findings).toMatchObject([{ path: 'inbound_api_key' }])
})
