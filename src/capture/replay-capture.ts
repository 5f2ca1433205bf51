// What one request leaves for its record of Router Replay: made when the record is opened, filled as bodies pass, read
// when the record is closed. It sees bytes and never changes them.

import type { RouterReplayConfig } from '../config/config.ts'
import type { DecisionsConfig } from '../config/decision-config.ts'
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
  #settings: RouterReplayConfig
  #request: CapturedBody | null = null
  /** Captures the request's body once it is known what of it is wanted; null when it was, or there is none. */
  #captureLater: (() => CapturedBody) | null = null
  #isSettled: boolean
  #answer: AnswerCapture | null = null

  /** Unless `isSettled`, a decision's plugin may yet change the settings. */
  constructor(settings: RouterReplayConfig, isSettled = true) {
    this.#settings = settings
    this.#isSettled = isSettled
  }

  get settings(): RouterReplayConfig {
    return this.#settings
  }

  /** Whether there will be a record, as far as is known. */
  get isKept(): boolean {
    return this.#settings.isEnabled
  }

  /** What a decision's plugin says takes the place of what holds for all requests; where it is kept stays. */
  settle(plugin: Omit<RouterReplayConfig, 'store'> | null): void {
    if (plugin !== null) this.#settings = { ...plugin, store: this.#settings.store }
    this.#isSettled = true
    this.#capture(this.#captureLater)
  }

  /** The body as the client sent it, before any hook. */
  noteRequest(bytes: Uint8Array, contentType: string | null): void {
    if (bytes.length === 0) return
    const type = mediaTypeOf(contentType)
    this.#note(() => {
      if (!isTextType(type)) return { omitted: type }
      const beginning = new BodyBeginning(this.#settings.maxBodyBytes)
      beginning.push(bytes)
      return beginning.captured()
    })
  }

  /** Of a body that is no text nothing is kept but its type. */
  noteOpaqueRequest(contentType: string | null): void {
    this.#note(() => ({ omitted: mediaTypeOf(contentType) }))
  }

  #note(capture: () => CapturedBody): void {
    if (this.#isSettled) this.#capture(capture)
    else this.#captureLater = capture
  }

  #capture(capture: (() => CapturedBody) | null): void {
    this.#captureLater = null
    if (capture !== null && this.#settings.capturesRequestBody) this.#request = capture()
  }

  /** Begins with an answer of this type; null when nothing of it is to be kept. `kind` is that of its events. */
  openAnswer(contentType: string | null, kind: StreamKind): AnswerCapture | null {
    const { isEnabled, capturesResponseBody, maxBodyBytes } = this.#settings
    if (!isEnabled || !capturesResponseBody) return null
    this.#answer = answerCapture(mediaTypeOf(contentType), kind, maxBodyBytes)
    return this.#answer
  }

  bodies(): CapturedBodies {
    // A request that came to no decision is recorded as all are.
    this.#capture(this.#captureLater)
    return { request: this.#request, response: this.#answer?.captured() ?? null }
  }
}

/** Null for a request that leaves no record, whatever decision takes it. */
export function openCapture(
  settings: RouterReplayConfig,
  decisions: DecisionsConfig | null = null,
): ReplayCapture | null {
  if (!recordsAny(settings, decisions)) return null
  const mayChange = decisions?.rules.some(({ plugins }) => plugins.routerReplay !== null) === true
  return new ReplayCapture(settings, !mayChange)
}

/** Whether some requests leave a record: all of them, or those of a decision whose plugin says so. */
export function recordsAny({ isEnabled }: RouterReplayConfig, decisions: DecisionsConfig | null): boolean {
  return isEnabled || decisions?.rules.some(({ plugins }) => plugins.routerReplay?.isEnabled === true) === true
}

function answerCapture(type: string, kind: StreamKind, maxBytes: number): AnswerCapture {
  if (type === 'text/event-stream') return new StreamCapture(kind, maxBytes)
  return isTextType(type) ? new BodyBeginning(maxBytes) : { push() {}, captured: () => ({ omitted: type }) }
}
