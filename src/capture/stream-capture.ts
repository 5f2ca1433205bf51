// A streamed answer as a record keeps it: its events put together into the answer they make, as far as there is room.

import { type EventGate, createEventGate, pushChunk } from '../dialect/event-gate.ts'
import { parseJson } from '../dialect/json-peek.ts'
import { type Assembly, TextBudget } from '../dialect/assembly.ts'
import type { SseEvent } from '../dialect/sse.ts'
import { createAssembly } from '../dialect/stream-assembly.ts'
import type { StreamKind } from '../dialect/stream-tap.ts'
import type { CapturedText } from './captured-body.ts'
import { cutText } from './cut-text.ts'

export class StreamCapture {
  readonly #maxBytes: number
  readonly #gate: EventGate = createEventGate()
  readonly #assembly: Assembly
  readonly #budget: TextBudget
  /** An event was too big to be looked at. */
  #hasMissed = false

  constructor(kind: StreamKind, maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#assembly = createAssembly(kind)
    this.#budget = new TextBudget(maxBytes)
  }

  push(chunk: Uint8Array): void {
    // With no room left, nothing that comes can be kept.
    if (this.#budget.isSpent) return
    pushChunk(this.#gate, chunk, (event) => this.#add(event))
  }

  captured(): CapturedText {
    const whole = this.#whole()
    const { text, isCut } = cutText(whole ?? '', this.#maxBytes)
    return { text, isTruncated: isCut || whole === null || this.#budget.hasLeftOut || this.#hasMissed }
  }

  /** Null when it can't be written: what was parsed may be nested more deeply than what can be. */
  #whole(): string | null {
    const result = this.#assembly.result()
    try {
      return result === null ? '' : JSON.stringify(result)
    } catch {
      // A record is never worth the answer that it is about.
      return null
    }
  }

  #add({ data, part }: SseEvent): null {
    // `[DONE]` is no JSON, and says nothing.
    const event = part === 'whole' ? parseJson(data) : undefined
    if (event !== undefined) this.#assembly.add(event, this.#budget)
    this.#hasMissed ||= part !== 'whole'
    return null
  }
}
