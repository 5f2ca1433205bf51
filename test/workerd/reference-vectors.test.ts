// Vectors of a configuration's examples, between isolates: computed by one, found by the next; and a model binding as Workers
// AI has it.

import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import type { FleetStub } from '../../src/store/durable-object.ts'
import { createDurableVectors } from '../../src/store/durable-vectors.ts'
import { vectorStoreConformance } from '../conformance/vector-store.ts'
import { advance, configOf, createIsolate, fleetObject, type Isolate, POOL, useFleet } from './rig.ts'

useFleet()

const SECTION = `
semantic_cluster:
  embeddings_binding: AI
  embeddings_model: "@cf/baai/bge-m3"
  threshold: 0.9
  embedding_timeout_ms: 10000
  clusters:
    - {name: long, examples: [a long one, another long one], workers: [b]}
    - {name: short, examples: [s], workers: [c]}
`

/** A binding as isolates have it; its vectors tell short texts from long ones. */
function createModel(dimensions = 2) {
  const asked: string[] = []
  const model = {
    asked,
    dimensions,
    async run(_name: string, { text }: { readonly text: readonly string[] }) {
      asked.push(...text)
      const data = text.map((each) => {
        const vector: number[] = Array.from({ length: model.dimensions }, () => 0)
        vector[each.length > 3 ? 0 : 1] = 2
        return vector
      })
      return { shape: [data.length, model.dimensions], data }
    },
  }
  return model
}

type Model = ReturnType<typeof createModel>

const isolateOf = (model: Model, more: object = {}) =>
  createIsolate({ config: configOf('{type: round_robin}', SECTION), env: { AI: model, ...more } })

async function clusterOf(isolate: Isolate, content: string): Promise<string | null> {
  const { response, beside } = await isolate.fetch('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] }),
  })
  expect(response.status).toBe(200)
  await response.text()
  await beside
  return response.headers.get('x-vllm-router-cluster')
}

const vectorCalls = ({ calls }: Isolate) => calls.filter(({ method }) => method.endsWith('Vectors'))
const EXAMPLES = ['a long one', 'another long one', 's']

test('a second isolate asks for no example', async () => {
  const model = createModel()
  expect(await clusterOf(isolateOf(model), 'first')).toBe('long')
  expect(model.asked.toSorted()).toEqual([...EXAMPLES, 'first'].toSorted())
  model.asked.length = 0
  const second = isolateOf(model)
  expect(await clusterOf(second, 'a second one')).toBe('long')
  expect(await clusterOf(second, 'x')).toBe('short')
  expect(model.asked).toEqual(['a second one', 'x'])
  expect(vectorCalls(second).map(({ object, method }) => `${object} ${method}`)).toEqual([
    `${POOL}/vectors readVectors`,
  ])
})

test('so does each of several requests that an isolate begins with', async () => {
  const model = createModel()
  await clusterOf(isolateOf(model), 'first')
  model.asked.length = 0
  const second = isolateOf(model)
  const clusters = await Promise.all(['text one', 'text two', 'text three'].map((text) => clusterOf(second, text)))
  expect(clusters).toEqual(['long', 'long', 'long'])
  expect(model.asked.toSorted()).toEqual(['text one', 'text three', 'text two'])
})

test('another model under the same name: one isolate computes anew, the next finds that', async () => {
  const model = createModel()
  await clusterOf(isolateOf(model), 'first')
  model.dimensions = 3
  const second = isolateOf(model)
  expect(await clusterOf(second, 'second')).toBeNull()
  advance(1_000)
  expect(await clusterOf(second, 'second')).toBe('long')
  model.asked.length = 0
  expect(await clusterOf(isolateOf(model), 'third')).toBe('long')
  expect(model.asked).toEqual(['third'])
})

test('an object that can not be had costs nothing but the question', async () => {
  const model = createModel()
  const broken = {
    idFromName: (name: string) => env.FLEET.idFromName(name),
    get(id: DurableObjectId) {
      const stub = env.FLEET.get(id)
      if (id.name?.endsWith('/vectors') !== true) return stub
      const fail = () => Promise.reject(new Error('Durable Object reset'))
      return { readVectors: fail, writeVectors: fail }
    },
  }
  const isolate = isolateOf(model, { FLEET: broken })
  expect(await clusterOf(isolate, 'first')).toBe('long')
  expect(model.asked.toSorted()).toEqual([...EXAMPLES, 'first'].toSorted())
})

vectorStoreConformance('a Durable Object', async () => {
  const pool = crypto.randomUUID()
  const open = () => createDurableVectors({ namespace: (name) => fleetObject(name) as unknown as FleetStub, pool })
  return { open, advance, isBounded: true }
})
