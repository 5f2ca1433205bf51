// Vectors that are computed once: who waits for them where, and how they heal.

import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { Embedder } from './embeddings.ts'
import { failure, type ServiceFailure } from './json-service.ts'
import type { KeptVectors } from './kept-vectors.ts'
import { ReferenceShelf, type ReferenceStatus } from './reference-vectors.ts'

const TEXTS = ['one', 'two', 'three']

interface Attempt {
  readonly texts: readonly string[]
  succeed(size?: number): Promise<void>
  fail(answer?: ServiceFailure): Promise<void>
}

/** A store that answers when it is asked to look again. */
class Kept implements KeptVectors {
  readonly vectors = new Map<string, Float32Array>()
  finds = 0

  async find(texts: readonly string[]) {
    this.finds += 1
    return new Map([...this.vectors].filter(([text]) => texts.includes(text)))
  }

  async keep(vectors: ReadonlyMap<string, Float32Array>) {
    for (const [text, vector] of vectors) this.vectors.set(text, vector)
  }
}

function keptOf(size: number, texts = TEXTS): Kept {
  const kept = new Kept()
  for (const text of texts) kept.vectors.set(text, new Float32Array(size).fill(1))
  return kept
}

function bench({ wakes = true, kept = null }: { readonly wakes?: boolean; readonly kept?: KeptVectors | null } = {}) {
  const clock = createFakeClock()
  const attempts: Attempt[] = []
  const changes: ReferenceStatus[] = []
  const embedder: Embedder = {
    embed: (texts) =>
      new Promise((resolve) => {
        attempts.push({
          texts,
          async succeed(size = 2) {
            resolve({ kind: 'vectors', isCached: false, vectors: texts.map(() => new Float32Array(size).fill(1)) })
            await settle()
          },
          async fail(answer = failure('unreachable', 'refused')) {
            resolve(answer)
            await settle()
          },
        })
      }),
  }
  const platform = { ...clock, wakesAcrossRequests: wakes }
  const shelf = new ReferenceShelf({
    texts: TEXTS,
    embedder,
    kept,
    platform,
    onChange: (status) => void changes.push(status),
  })
  const tasks: Promise<unknown>[] = []
  /** A request that needs the vectors: what it got, once it stopped to wait. */
  const request = () => {
    const state = { isDone: false, vectors: null as Awaited<ReturnType<ReferenceShelf['ensure']>> }
    shelf
      .ensure({ waitUntil: (task) => void tasks.push(task), budgetMs: 500 })
      .then((vectors) => Object.assign(state, { isDone: true, vectors }))
      .catch(() => {})
    return state
  }
  const last = () => {
    const attempt = attempts.at(-1)
    if (attempt === undefined) throw new Error('nobody was asked')
    return attempt
  }
  return { shelf, clock, attempts, changes, tasks, request, last }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('an attempt', () => {
  test('is one at a time; where requests may wake each other all wait for it, within their budget', async () => {
    const bed = bench()
    const first = bed.request()
    const second = bed.request()
    await settle()
    expect(bed.attempts.map(({ texts }) => texts)).toEqual([TEXTS])
    expect([first.isDone, second.isDone]).toEqual([false, false])
    await bed.last().succeed()
    expect(second.vectors?.get('two')).toHaveLength(2)
    expect(first.vectors).toBe(second.vectors)
    expect(bed.changes).toEqual([{ state: 'ready', dimensions: 2, refused: 0, why: null }])
    const third = bed.request()
    await settle()
    expect(third.vectors).toBe(first.vectors)
    expect(bed.attempts).toHaveLength(1)
    expect(bed.clock.pending()).toBe(0)
  })

  test('elsewhere the one that began it waits, and others go without at once', async () => {
    const bed = bench({ wakes: false })
    const first = bed.request()
    const second = bed.request()
    await settle()
    expect([first.isDone, second.isDone, second.vectors]).toEqual([false, true, null])
    // It is kept alive beyond the answer of its request.
    expect(bed.tasks).toHaveLength(1)
    bed.clock.advance(500)
    await settle()
    expect([first.isDone, first.vectors]).toEqual([true, null])
    await bed.last().succeed()
    expect(bed.shelf.status().state).toBe('ready')
  })

  test('that dies with its runtime is given up, and made again', async () => {
    const bed = bench({ wakes: false })
    bed.request()
    bed.clock.advance(39_999)
    bed.request()
    expect(bed.attempts).toHaveLength(1)
    bed.clock.advance(1)
    bed.request()
    expect(bed.attempts).toHaveLength(2)
  })

  test('begins without a request where a process can wait, and nowhere else', () => {
    const process = bench()
    process.shelf.warm()
    const isolate = bench({ wakes: false })
    isolate.shelf.warm()
    expect([process.attempts.length, isolate.attempts.length]).toEqual([1, 0])
  })
})

describe('healing', () => {
  test('a failed attempt is told once and made again, later each time, half a minute at most', async () => {
    const bed = bench()
    const waits: number[] = []
    for (let round = 0; round < 8; round += 1) {
      bed.request()
      await bed.last().fail()
      let waited = 0
      while (bed.attempts.length === round + 1) {
        bed.clock.advance(500)
        waited += 500
        bed.request()
      }
      waits.push(waited)
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    expect(bed.changes).toEqual([{ state: 'failing', dimensions: null, refused: 0, why: 'unreachable: refused' }])
    await bed.last().succeed()
    expect(bed.shelf.status()).toMatchObject({ state: 'ready', why: null })
  })

  test('vectors of another length than requests have are dropped and computed anew', async () => {
    const bed = bench()
    bed.request()
    await bed.last().succeed(2)
    bed.shelf.drop(3)
    expect(bed.shelf.status()).toMatchObject({ state: 'failing', why: expect.stringMatching(/have 3 numbers.* 2$/) })
    bed.shelf.drop(3)
    expect(bed.changes).toHaveLength(2)
    bed.clock.advance(1_000)
    const after = bed.request()
    await bed.last().succeed(3)
    expect(after.vectors?.get('one')).toHaveLength(3)
  })

  test('texts that the server refuses are left out, and counted', async () => {
    const bed = bench()
    bed.request()
    const refused = failure('refused', 'status 400')
    await bed.last().fail(refused)
    await bed.last().succeed()
    await bed.last().fail(refused)
    await bed.last().succeed()
    expect(bed.attempts.map(({ texts }) => texts)).toEqual([TEXTS, ['one'], ['two'], ['three']])
    expect(bed.shelf.status()).toMatchObject({ state: 'ready', refused: 1 })
  })

  test('a server that refuses all of them is one that fails', async () => {
    const bed = bench()
    bed.request()
    for (let count = 0; count < 4; count += 1) await bed.last().fail(failure('refused', 'status 400'))
    expect(bed.shelf.status()).toMatchObject({ state: 'failing', why: 'refused: status 400' })
  })
})

describe('what others kept', () => {
  test('is taken, and nobody is asked', async () => {
    const bed = bench({ kept: keptOf(2) })
    const first = bed.request()
    await settle()
    expect([first.isDone, first.vectors?.size, bed.attempts.length]).toEqual([true, 3, 0])
    expect(bed.shelf.status()).toMatchObject({ state: 'ready', dimensions: 2, refused: 0 })
  })

  test('is added to: the server is asked for the rest alone, which is kept in turn', async () => {
    const kept = keptOf(2, ['one', 'three'])
    const bed = bench({ kept })
    const first = bed.request()
    await settle()
    expect(bed.last().texts).toEqual(['two'])
    await bed.last().succeed(2)
    expect(first.vectors?.size).toBe(3)
    await Promise.all(bed.tasks)
    expect([...kept.vectors.keys()].toSorted()).toEqual(['one', 'three', 'two'])
  })

  test('of another model than the server has by now is computed anew, and written over', async () => {
    const kept = keptOf(2, ['one', 'three'])
    const bed = bench({ kept })
    bed.request()
    await settle()
    await bed.last().succeed(4)
    expect(bed.last().texts).toEqual(TEXTS)
    await bed.last().succeed(4)
    expect(bed.shelf.status()).toMatchObject({ state: 'ready', dimensions: 4 })
    await Promise.all(bed.tasks)
    expect(new Set(Array.from(kept.vectors.values(), ({ length }) => length))).toEqual(new Set([4]))
  })

  test('of another length than requests have is left alone until somebody has written it over', async () => {
    const kept = keptOf(2)
    const bed = bench({ kept })
    bed.request()
    await settle()
    bed.shelf.drop(3)
    bed.clock.advance(1_000)
    bed.request()
    await settle()
    expect(bed.last().texts).toEqual(TEXTS)
    await bed.last().fail()
    for (const text of TEXTS) kept.vectors.set(text, new Float32Array(3).fill(1))
    bed.clock.advance(2_000)
    bed.request()
    await settle()
    expect(bed.attempts).toHaveLength(1)
    expect(bed.shelf.status()).toMatchObject({ state: 'ready', dimensions: 3 })
  })

  test('each request of an isolate that begins finds for itself; none looks again where something is missing', async () => {
    const whole = keptOf(2)
    const bed = bench({ wakes: false, kept: whole })
    const requests = [bed.request(), bed.request(), bed.request()]
    await settle()
    expect(requests.map(({ vectors }) => vectors?.size)).toEqual([3, 3, 3])
    expect(bed.attempts).toHaveLength(0)
    const parts = keptOf(2, ['one'])
    const other = bench({ wakes: false, kept: parts })
    other.request()
    await settle()
    const late = [other.request(), other.request()]
    await settle()
    expect([parts.finds, other.attempts.length]).toEqual([1, 1])
    expect(late.map(({ vectors }) => vectors)).toEqual([null, null])
  })
})
