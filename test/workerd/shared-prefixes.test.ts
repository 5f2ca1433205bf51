// Hints where prefixes are, between isolates: in objects, within a budget, and only where an isolate knows of nobody itself.

import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import type { FleetStub } from '../../src/store/durable-object.ts'
import { createDurablePrefixHints } from '../../src/store/durable-prefix-hints.ts'
import { advance, configOf, createIsolate, fake, fleetObject, type Isolate, POOL, useFleet } from './rig.ts'

useFleet()

const shared = (more = '') =>
  `shared_prefix_routing: {backend: durable_object, write_probability: 1, budget_ms: 1000${more}}`
const isolateOf = (more?: string) =>
  createIsolate({ config: configOf('{type: cache_aware, block_bytes: 512}', shared(more)) })

interface Message {
  readonly role: string
  readonly content: string
}

const begun = (name: string): readonly Message[] => [{ role: 'user', content: `${name} `.repeat(600) }]
const goneOn = (messages: readonly Message[]) => [...messages, { role: 'user', content: 'And? '.repeat(200) }]

/** The host name of the worker that answered, once all that was left to be done is done. */
async function chat(isolate: Isolate, messages: readonly Message[]): Promise<string> {
  const { response, beside } = await isolate.fetch('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', messages }),
  })
  expect(response.status).toBe(200)
  const { served_by: host } = await response.json<{ served_by: string }>()
  await beside
  return host
}

const hintCalls = ({ calls }: Isolate) => calls.filter(({ method }) => method.endsWith('PrefixHints'))

test('a conversation that one isolate has begun goes on at its worker through another', async () => {
  const [one, other] = [isolateOf(), isolateOf()]
  for (const name of ['x', 'y', 'z', 'v', 'w']) {
    const place = await chat(one, begun(name))
    expect(await chat(other, goneOn(begun(name)))).toBe(place)
  }
  expect(hintCalls(other).filter(({ method }) => method === 'readPrefixHints')).toHaveLength(5)
})

test('an isolate that knows the prefix itself asks nobody', async () => {
  const isolate = isolateOf(', read_on_local_miss: true')
  const place = await chat(isolate, begun('x'))
  const before = hintCalls(isolate).filter(({ method }) => method === 'readPrefixHints').length
  expect(await chat(isolate, goneOn(begun('x')))).toBe(place)
  expect(hintCalls(isolate).filter(({ method }) => method === 'readPrefixHints')).toHaveLength(before)
})

test('a hint to a worker that is gone is of no account', async () => {
  const [one, other] = [isolateOf(), isolateOf()]
  const place = await chat(one, begun('x'))
  fake.down.add(place)
  expect(await chat(other, goneOn(begun('x')))).not.toBe(place)
})

test('all beginnings of a conversation are in one object, conversations in several', async () => {
  const isolate = isolateOf()
  for (let name = 0; name < 12; name += 1) {
    await chat(isolate, begun(`conversation ${name}`))
  }
  const objects = new Set(hintCalls(isolate).map(({ object }) => object))
  expect(objects.size).toBeGreaterThan(1)
  expect([...objects].every((name) => name.startsWith(`${POOL}/prefixes/`))).toBe(true)
})

test('a hint expires in its object', async () => {
  const store = createDurablePrefixHints({ namespace: (name) => fleetObject(name) as unknown as FleetStub, pool: POOL })
  const { signal } = new AbortController()
  const keys = ['00000000000000aa', '00000000000000bb']
  await store.write(keys, 'w1', 1_000, signal)
  expect(await store.read(keys, signal)).toEqual(['w1', 'w1'])
  advance(1_000)
  expect(await store.read(keys, signal)).toEqual([null, null])
})

test('an object that does not answer holds up no request beyond the budget', async () => {
  const isolate = createIsolate({
    config: configOf('cache_aware', 'shared_prefix_routing: {backend: durable_object, budget_ms: 5}'),
    env: { FLEET: withoutHints(env.FLEET) },
  })
  for (let round = 0; round < 8; round += 1) await chat(isolate, begun(`hanging ${round}`))
})

/** The namespace of the real objects, whose hints never come. */
function withoutHints(real: DurableObjectNamespace): Pick<DurableObjectNamespace, 'idFromName' | 'get'> {
  return {
    idFromName: (name) => real.idFromName(name),
    get(id) {
      const stub = real.get(id)
      return new Proxy(stub, {
        get: (_, method) =>
          async function call(...given: unknown[]): Promise<unknown> {
            if (method === 'readPrefixHints') return new Promise(() => {})
            // A stub answers to any name with a function that calls it remotely.
            return (Reflect.get(stub, method) as (...all: unknown[]) => Promise<unknown>)(...given)
          },
      })
    },
  }
}
