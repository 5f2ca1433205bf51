// A response body fed from outside, at the pace of its reader. Unlike a controller's own queue, what was pushed before
// a failure is still delivered: a worker that dies in mid-stream has sent what it sent.

type Item = Uint8Array<ArrayBuffer> | 'end' | Error

/** Push chunks, then `end` or `fail`; `onCancel` is called when the reader gives up. */
export class BodyFeed {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>
  #items: Item[] = []
  #head = 0
  #isClosed = false
  #wake: (() => void) | null = null

  constructor(onCancel: () => void) {
    this.stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        pull: (controller) => this.#pull(controller),
        cancel: () => {
          this.#isClosed = true
          this.#items = []
          onCancel()
        },
      },
      { highWaterMark: 0 },
    )
  }

  push(chunk: Uint8Array<ArrayBuffer>): void {
    this.#add(chunk)
  }

  end(): void {
    this.#add('end')
    this.#isClosed = true
  }

  fail(error: Error): void {
    this.#add(error)
    this.#isClosed = true
  }

  #add(item: Item): void {
    if (this.#isClosed) return
    this.#items.push(item)
    this.#wake?.()
    this.#wake = null
  }

  #pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): void | Promise<void> {
    if (this.#head < this.#items.length) return this.#deliver(controller)
    return new Promise<void>((resolve) => {
      this.#wake = resolve
    }).then(() => this.#deliver(controller))
  }

  #deliver(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): void {
    const item = this.#items[this.#head++]
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    }
    if (item === undefined) return
    if (item === 'end') controller.close()
    else if (item instanceof Error) controller.error(item)
    else controller.enqueue(item)
  }
}
