// What every store of answers by meaning must hold: called in one line per implementation.

import { describe, expect, test } from 'vitest'
import type { Partition, StoredAnswer } from '../../src/cache/response-store.ts'
import type { SemanticStore } from '../../src/cache/semantic-store.ts'

export interface SemanticStoreRig {
  /** A way of its own to the same answers: as another router beside the first has it. */
  open(): SemanticStore
}

const ACME: Partition = { party: 'acme', model: 'm' }
const never = () => new AbortController().signal
const NOW_MS = Date.UTC(2026, 0, 1)

/** A direction in the plane, and so one whose cosine to others is known. */
const towards = (degrees: number) =>
  new Float32Array([Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)])

interface Asked {
  readonly partitionKey?: string
  readonly partition?: Partition
  readonly threshold?: number
  readonly storedAfterMs?: number
}

async function ask(store: SemanticStore, vector: Float32Array, asked: Asked = {}) {
  const query = { partitionKey: 'p', partition: ACME, threshold: 0.9, storedAfterMs: NOW_MS - 1_000, vector, ...asked }
  return store.backend === 'memory' ? store.nearest(query) : store.nearest(query, never())
}

async function keep(store: SemanticStore, key: string, vector: Float32Array, asked: Asked & { atMs?: number } = {}) {
  const { partitionKey = 'p', partition = ACME, atMs = NOW_MS } = asked
  const { epoch } = await ask(store, vector, asked)
  const body = new Uint8Array(new TextEncoder().encode(JSON.stringify(key)))
  const answer: StoredAnswer = { ...partition, headers: [], body, storedAtMs: atMs, epoch }
  await store.put({ partitionKey, key, vector, answer, ttlMs: 60_000 }, never())
}

/** Each call of `createRig` is a place of its own, for three entries of a partition, with nothing in it. */
export function semanticStoreConformance(name: string, createRig: () => Promise<SemanticStoreRig>): void {
  describe(`answers by meaning in ${name}`, () => {
    test('the nearest is found, and how near it is', async () => {
      const rig = await createRig()
      await keep(rig.open(), 'a', towards(0))
      await keep(rig.open(), 'b', towards(20))
      const { nearest } = await ask(rig.open(), towards(15))
      expect(nearest).toMatchObject({ key: 'b', answer: { model: 'm', storedAtMs: NOW_MS } })
      expect(nearest?.similarity).toBeCloseTo(Math.cos((5 * Math.PI) / 180), 5)
    })

    test('nothing is near enough beyond the threshold, nor under another partition', async () => {
      const store = (await createRig()).open()
      await keep(store, 'a', towards(0))
      expect((await ask(store, towards(30))).nearest).toBeNull()
      expect((await ask(store, towards(30), { threshold: 0.8 })).nearest).not.toBeNull()
      expect((await ask(store, towards(0), { partitionKey: 'q' })).nearest).toBeNull()
    })

    test('vectors of other lengths, and none at all, are near nothing', async () => {
      const store = (await createRig()).open()
      await keep(store, 'a', towards(0))
      for (const vector of [new Float32Array([1, 0, 0]), new Float32Array(0), new Float32Array([Number.NaN, 0])]) {
        expect((await ask(store, vector, { threshold: 0.01 })).nearest).toBeNull()
      }
    })

    test('what is too old is gone', async () => {
      const store = (await createRig()).open()
      await keep(store, 'a', towards(0), { atMs: NOW_MS - 2_000 })
      expect((await ask(store, towards(0))).nearest).toBeNull()
    })

    test('the oldest make room', async () => {
      const store = (await createRig()).open()
      for (let n = 0; n < 4; n += 1) await keep(store, `k${n}`, towards(n * 90 - 90), { atMs: NOW_MS + n })
      const found = await Promise.all(
        [0, 1, 2, 3].map(async (n) => (await ask(store, towards(n * 90 - 90))).nearest?.key),
      )
      expect(found).toEqual([undefined, 'k1', 'k2', 'k3'])
    })

    test('purges hide what was kept before, and what was asked before', async () => {
      const store = (await createRig()).open()
      const scopes = [
        { kind: 'all' },
        { kind: 'tenant', name: 'acme' },
        { kind: 'model', name: 'm' },
        { kind: 'key', name: 'a' },
      ] as const
      for (const scope of scopes) {
        await keep(store, 'a', towards(0))
        expect((await ask(store, towards(0))).nearest).not.toBeNull()
        await store.purge(scope, never())
        expect((await ask(store, towards(0))).nearest).toBeNull()
      }
      await keep(store, 'a', towards(0))
      await store.purge({ kind: 'tenant', name: 'zeta' }, never())
      expect((await ask(store, towards(0))).nearest).not.toBeNull()
    })
  })
}
