// Lines are read as fast as their reader takes them, and no further once nobody reads.

import { expect, test } from 'vitest'
import { nextOf, toLineStream } from './line-stream.ts'

/** A source that counts what was taken of it, and knows when it was let go. */
function countingSource(pieces: readonly string[]) {
  const seen = { taken: 0, isReleased: false }
  async function* source(): AsyncGenerator<string> {
    try {
      for (const piece of pieces) {
        seen.taken += 1
        yield piece
      }
    } finally {
      seen.isReleased = true
    }
  }
  return { seen, pieces: source()[Symbol.asyncIterator]() }
}

test('all of it arrives, empty pieces between', async () => {
  const { pieces } = countingSource(['b\n', '', '', 'c\nd\n', ''])
  expect(await new Response(toLineStream('a\n', pieces)).text()).toBe('a\nb\nc\nd\n')
})

test('nothing is read ahead, and the source is let go when the reader leaves', async () => {
  const { seen, pieces } = countingSource(Array.from({ length: 1_000 }, (_, n) => `${n}\n`))
  const first = await nextOf(pieces)
  const reader = toLineStream(first ?? '', pieces).getReader()
  await reader.read()
  await reader.read()
  await reader.read()
  expect(seen).toEqual({ taken: 3, isReleased: false })
  await reader.cancel()
  expect(seen).toEqual({ taken: 3, isReleased: true })
})

test('a source that fails cuts the answer off, so that nobody takes a part for the whole', async () => {
  async function* failing(): AsyncGenerator<string> {
    yield 'b\n'
    throw new Error('the disk is gone')
  }
  const body = toLineStream('a\n', failing()[Symbol.asyncIterator]())
  await expect(new Response(body).text()).rejects.toThrow('the disk is gone')
})
