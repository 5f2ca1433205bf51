// Lines as the body of an answer: read from their source as fast as the client takes them, and no further once it is gone.

/** `first` is what the source has given already. The source is told when nobody reads on. */
export function toLineStream(first: string, rest: AsyncIterator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let waiting: string | null = first
  return new ReadableStream(
    {
      async pull(controller) {
        const piece = waiting ?? (await nextOf(rest))
        waiting = null
        if (piece === null) controller.close()
        else controller.enqueue(encoder.encode(piece))
      },
      async cancel() {
        await rest.return?.()
      },
    },
    // Nothing is read ahead of the client.
    { highWaterMark: 0 },
  )
}

/** The next piece that holds something, as nobody asks again after an empty one; null at the end. */
export async function nextOf(pieces: AsyncIterator<string>): Promise<string | null> {
  for (;;) {
    const { done, value } = await pieces.next()
    if (done === true) return null
    if (value !== '') return value
  }
}
