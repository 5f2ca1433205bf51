// A trace that begins here and is not sampled. It keeps no spans and reads no clock; whoever is called is told that it is
// not sampled, or would begin a trace of its own.

import { writeTraceparent } from './trace-context.ts'
import { type Random, toTraceTail } from './trace-ids.ts'

/** What all such traces of a process or isolate begin with: nobody keeps spans of them, so half of the id is enough. */
const HEAD = '756e73616d706c65'

export class UnsampledTrace {
  readonly isRecorded = false
  /** It began here, so nobody gave it one. */
  readonly traceState = null
  readonly #random: Random
  readonly #draw: number
  #traceparent: string | null = null

  /** `draw` is what its sampling went by. */
  constructor(random: Random, draw: number) {
    this.#random = random
    this.#draw = draw
  }

  /** The same for all who are called; made when the first is. */
  traceparent(): string {
    this.#traceparent ??= this.#make()
    return this.#traceparent
  }

  #make(): string {
    const tail = toTraceTail(this.#draw, this.#random)
    // Not drawn apart: there is no span that could be looked for by its id.
    return writeTraceparent({ traceId: HEAD + tail, spanId: tail, isSampled: false })
  }
}
