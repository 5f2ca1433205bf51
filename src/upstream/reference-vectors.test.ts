// Vectors that are computed once: who waits for them where, and how they heal.

import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { Embedder } from './embeddings.ts'
import { failure, type ServiceFailure } from './json-service.ts'
import { ReferenceShelf, type ReferenceStatus } from './reference-vectors.ts'

const TEXTS = ['one', 'two', 'three']

interface Attempt {
  readonly texts: readonly string[]
  succeed(size?: number): Promise<void>
  fail(answer?: ServiceFailure): Promise<void>
}

function bench({ wakes = true } = {}) {
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
