// Vectors under the names of their server, model and text; a store that fails is a miss.

import { Secret } from '../secret.ts'
import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { VectorStore } from '../store/vector-store.ts'
import { createBreaker } from './breaker.ts'
import { keptVectorsOf } from './kept-vectors.ts'

const SERVER = { url: 'http://vectors.test', binding: null, model: 'm', apiKey: new Secret('sk-1') }
const VECTOR = new Float32Array([0.6, 0.8])

class Store implements VectorStore {
  readonly backend = 'memory'
  readonly entries = new Map<string, string>()
  behaviour: 'well' | 'never' | 'badly' = 'well'
  calls = 0

  async read(keys: readonly string[]): Promise<readonly (string | null)[]> {
    await this.#turn()
    return keys.map((key) => this.entries.get(key) ?? null)
  }

  async write(entries: readonly (readonly [string, string])[]): Promise<void> {
    await this.#turn()
    for (const [key, vector] of entries) this.entries.set(key, vector)
  }

  async #turn(): Promise<void> {
    this.calls += 1
    if (this.behaviour === 'never') await new Promise(() => {})
    if (this.behaviour === 'badly') throw new Error('no such table')
  }
}

function bench() {
  const clock = createFakeClock()
  const store = new Store()
  const failures: string[] = []
  const bounds = (budgetMs: number) => ({
    gate: createBreaker({ now: clock.now }),
    after: clock.after,
    budgetMs,
    onFailure: (why: string) => void failures.push(why),
  })
  const options = { store, reads: bounds(1_000), writes: bounds(5_000) }
  const of = (more: Partial<typeof SERVER> = {}) => keptVectorsOf({ ...SERVER, ...more }, options)
  return { clock, store, failures, of }
}

const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 0))

describe('vectors', () => {
  test('come back as they were, and no text is in the store', async () => {
    const bed = bench()
    await bed.of().keep(new Map([['a secret text', VECTOR]]))
    const found = await bed.of().find(['another', 'a secret text'])
    expect([...found.keys()]).toEqual(['a secret text'])
    expect([...(found.get('a secret text') ?? [])].map((item) => Math.round(item * 1e6) / 1e6)).toEqual([0.6, 0.8])
    expect(JSON.stringify([...bed.store.entries])).not.toContain('secret')
  })

  test('belong to their server and model, whoever asks', async () => {
    const bed = bench()
    await bed.of().keep(new Map([['a', VECTOR]]))
    expect((await bed.of({ apiKey: new Secret('sk-2') }).find(['a'])).size).toBe(1)
    expect((await bed.of({ model: 'n' }).find(['a'])).size).toBe(0)
    expect((await bed.of({ url: 'http://others.test' }).find(['a'])).size).toBe(0)
  })

  test.each(['', '?', 'AAAA', 'AAAAAAAAAAA=', btoa('abc')])('%j in a store is no vector', async (text) => {
    const bed = bench()
    await bed.of().keep(new Map([['a', VECTOR]]))
    for (const key of bed.store.entries.keys()) bed.store.entries.set(key, text)
    expect((await bed.of().find(['a'])).size).toBe(0)
  })
})

describe('a store that can not be had', () => {
  test('is a miss within its time', async () => {
    const bed = bench()
    bed.store.behaviour = 'never'
    const found = bed.of().find(['a'])
    while (bed.clock.pending() === 0) await settle()
    bed.clock.advance(1_000)
    expect((await found).size).toBe(0)
    expect(bed.failures).toEqual(['timeout'])
  })

  test('is left alone after several failures, and asked again later', async () => {
    const bed = bench()
    bed.store.behaviour = 'badly'
    for (let count = 0; count < 8; count += 1) expect((await bed.of().find(['a'])).size).toBe(0)
    await bed.of().keep(new Map([['a', VECTOR]]))
    // Five reads, and the write, which has a breaker of its own.
    expect(bed.store.calls).toBe(6)
    bed.store.behaviour = 'well'
    await bed.of().keep(new Map([['a', VECTOR]]))
    bed.clock.advance(10_000)
    expect((await bed.of().find(['a'])).size).toBe(1)
  })
})
