// What one request leaves for its record of Router Replay: made when the record is opened, filled as bodies pass, read
// when the record is closed. It sees bytes and never changes them.

import type { RouterReplayConfig } from '../config/config.ts'
import type { StreamKind } from '../dialect/stream-tap.ts'
import { BodyBeginning, type CapturedBody, isTextType, mediaTypeOf } from './captured-body.ts'
import { StreamCapture } from './stream-capture.ts'
import type { CapturedBodies } from './to-replay-record.ts'

/** Sees an answer's bytes as they go to the client. */
export interface AnswerCapture {
  push(chunk: Uint8Array): void
  captured(): CapturedBody
}

export class ReplayCapture {
  readonly settings: RouterReplayConfig
  #request: CapturedBody | null = null
  #answer: AnswerCapture | null = null

  constructor(settings: RouterReplayConfig) {
    this.settings = settings
  }

  /** The body as the client sent it, before any hook. */
  noteRequest(bytes: Uint8Array, contentType: string | null): void {
    if (!this.settings.capturesRequestBody || bytes.length === 0) return
    const type = mediaTypeOf(contentType)
    if (!isTextType(type)) {
      this.#request = { omitted: type }
      return
    }
    const beginning = new BodyBeginning(this.settings.maxBodyBytes)
    beginning.push(bytes)
    this.#request = beginning.captured()
  }

  /** Of a body that is no text nothing is kept but its type. */
  noteOpaqueRequest(contentType: string | null): void {
    if (this.settings.capturesRequestBody) this.#request = { omitted: mediaTypeOf(contentType) }
  }

  /** Begins with an answer of this type; null when nothing of it is to be kept. `kind` is that of its events. */
  openAnswer(contentType: string | null, kind: StreamKind): AnswerCapture | null {
    const { capturesResponseBody, maxBodyBytes } = this.settings
    if (!capturesResponseBody) return null
    this.#answer = answerCapture(mediaTypeOf(contentType), kind, maxBodyBytes)
    return this.#answer
  }

  bodies(): CapturedBodies {
    return { request: this.#request, response: this.#answer?.captured() ?? null }
  }
}

/** Null for a request that leaves no record. */
export function openCapture(settings: RouterReplayConfig): ReplayCapture | null {
  return settings.isEnabled ? new ReplayCapture(settings) : null
}

function answerCapture(type: string, kind: StreamKind, maxBytes: number): AnswerCapture {
  if (type === 'text/event-stream') return new StreamCapture(kind, maxBytes)
  return isTextType(type) ? new BodyBeginning(maxBytes) : { push() {}, captured: () => ({ omitted: type }) }
}
