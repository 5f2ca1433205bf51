// A request's body that can't be sent again behind the router's back.

/**
 * When a connection breaks, Deno's fetch repeats a request of which it has the whole body, though the worker may have begun
 * on it: the prompt would run twice. Of a blob it takes the length and the stream, which ends with the first reading. One
 * that holds no bytes itself is spared their way into Deno's store of blobs and back.
 */
export class SentOnce extends Blob {
  override readonly size: number
  readonly #bytes: Uint8Array<ArrayBuffer>

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    super()
    this.size = bytes.length
    this.#bytes = bytes
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const bytes = this.#bytes
    return new ReadableStream({
      start(controller) {
        controller.enqueue(bytes)
        controller.close()
      },
    })
  }
}
