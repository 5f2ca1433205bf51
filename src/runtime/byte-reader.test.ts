import { describe, expect, test } from 'vitest'
import { openByteReader } from './byte-reader.ts'

/** A byte stream that fills what it is given from the chunks, one a read, and notes how much room it was given. */
function streamOf(chunks: readonly Uint8Array[], broken: Error | null = null) {
  const rooms: number[] = []
  const left = [...chunks]
  const body = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const request = controller.byobRequest
      const view = request?.view
      if (!request || !view) throw new Error('read without memory of its own')
      const [next] = left
      if (next === undefined) {
        if (broken !== null) return controller.error(broken)
        controller.close()
        return request.respond(0)
      }
      rooms.push(view.byteLength)
      const part = next.subarray(0, view.byteLength)
      new Uint8Array(view.buffer, view.byteOffset).set(part)
      if (part.length < next.length) left[0] = next.subarray(part.length)
      else left.shift()
      return request.respond(part.length)
    },
  })
  return { body, rooms }
}

async function readAll(body: ReadableStream<Uint8Array>): Promise<Uint8Array[]> {
  const reader = openByteReader(body)
  const chunks: Uint8Array[] = []
  for (;;) {
    const { done, value } = await reader.read()
    if (done || value === undefined) return chunks
    chunks.push(value)
  }
}

const bytes = (length: number, of: number) => new Uint8Array(length).fill(of)

describe('a byte reader', () => {
  test('short chunks keep what they hold, though all are read into the same small memory', async () => {
    const sent = Array.from({ length: 50 }, (_, at) => bytes(1 + at * 7, at))
    const { body, rooms } = streamOf(sent)
    expect(await readAll(body)).toEqual(sent)
    expect(new Set(rooms)).toEqual(new Set([4_096]))
  })

  test('a long body gets more and more room, up to 64 KiB, and stays whole', async () => {
    const sent = Uint8Array.from({ length: 1_000_000 }, (_, at) => at % 251)
    const { body, rooms } = streamOf([sent])
    const got = await readAll(body)
    expect(Buffer.concat(got).equals(sent)).toBe(true)
    expect(rooms.slice(0, 6)).toEqual([4_096, 8_192, 16_384, 32_768, 65_536, 65_536])
  })

  test('ends where the stream does, and says so again', async () => {
    const reader = openByteReader(streamOf([]).body)
    expect(await reader.read()).toEqual({ done: true })
  })

  test('breaks as the stream does', async () => {
    const reader = openByteReader(streamOf([bytes(3, 1)], new Error('made up')).body)
    expect((await reader.read()).value).toEqual(bytes(3, 1))
    await expect(reader.read()).rejects.toThrow('made up')
  })
})
