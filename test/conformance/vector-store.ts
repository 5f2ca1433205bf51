// What every store of vectors must hold: called in one line per implementation.

import { describe, expect, test } from 'vitest'
import { MAX_KEPT_VECTORS, type VectorStore } from '../../src/store/vector-store.ts'

export interface VectorStoreRig {
  /** A way of its own to the same vectors: as another process or isolate has it. */
  open(): VectorStore | Promise<VectorStore>
  /** Moves the store's clock; null where it is the server's own. */
  readonly advance: ((ms: number) => void) | null
  /** Whether the store itself makes room. */
  readonly isBounded: boolean
}

const never = () => new AbortController().signal
const HOUR_MS = 3_600_000

/** Each call of `createRig` is a place of its own, with nothing in it. */
export function vectorStoreConformance(name: string, createRig: () => Promise<VectorStoreRig>): void {
  describe(`vectors in ${name}`, () => {
    test('what one writes another reads, and the rest is nothing', async () => {
      const rig = await createRig()
      const one = await rig.open()
      expect(await one.read(['a'], never())).toEqual([null])
      const written: [string, string][] = Array.from({ length: 300 }, (_, at) => [`key-${at}`, `vector ${at}`])
      await one.write(written, HOUR_MS, never())
      const other = await rig.open()
      const keys = ['none', ...written.map(([key]) => key)]
      expect(await other.read(keys, never())).toEqual([null, ...written.map(([, vector]) => vector)])
      expect(await other.read([], never())).toEqual([])
    })

    test('the last word counts, of writes at the same time too', async () => {
      const rig = await createRig()
      const store = await rig.open()
      await store.write([['a', 'old']], HOUR_MS, never())
      await Promise.all([
        store.write([['a', 'new']], HOUR_MS, never()),
        store.write([['b', 'other']], HOUR_MS, never()),
      ])
      expect(await store.read(['b', 'a'], never())).toEqual(['other', 'new'])
    })

    test('a vector of 4,096 numbers has its place', async () => {
      const store = await (await createRig()).open()
      const long = 'x'.repeat(22_000)
      await store.write([['a', long]], HOUR_MS, never())
      expect(await store.read(['a'], never())).toEqual([long])
    })

    test('what has expired is gone', async (context) => {
      const rig = await createRig()
      if (rig.advance === null) context.skip('the server keeps the time')
      const store = await rig.open()
      await store.write([['a', 'short']], HOUR_MS, never())
      await store.write([['b', 'long']], 2 * HOUR_MS, never())
      rig.advance?.(HOUR_MS)
      expect(await store.read(['a', 'b'], never())).toEqual([null, 'long'])
    })

    test('there is an end to it: those that expire first make room', async (context) => {
      const rig = await createRig()
      if (!rig.isBounded) context.skip('the server bounds what it holds')
      const store = await rig.open()
      await store.write([['first', 'v']], HOUR_MS, never())
      const many: [string, string][] = Array.from({ length: MAX_KEPT_VECTORS - 1 }, (_, at) => [`key-${at}`, 'v'])
      await store.write(many, 2 * HOUR_MS, never())
      expect(await store.read(['first'], never())).toEqual(['v'])
      await store.write([['last', 'v']], 2 * HOUR_MS, never())
      expect(await store.read(['first', 'key-0', 'last'], never())).toEqual([null, 'v', 'v'])
    })
  })
}
