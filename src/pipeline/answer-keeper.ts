// Gathers an answer on its way to the client, to keep it if it turns out whole. It holds no more than may be kept, and
// looks at what it has when the client has everything.

import type { AnswerHeaders } from '../platform.ts'
import { mayBeKept } from '../cache/cache-use.ts'
import type { StoredAnswer } from '../cache/response-store.ts'
import { joinBytes } from '../dialect/join-bytes.ts'
import { toClientHeaders } from '../upstream/headers.ts'
import type { StreamEnd } from '../upstream/relay.ts'
import { looksLikeWholeJson, mediaType } from './answer-body.ts'

/** An answer that could be kept, before its body is known. */
export interface KeptHead {
  readonly status: number
  readonly headers: AnswerHeaders
  /** The model that answered; another one than was asked for where a chain went on. */
  readonly model: string | null
}

export interface AnswerKeeperOptions {
  readonly model: string
  readonly party: string | null
  readonly maxBodyBytes: number
  /** Of an event stream. */
  readonly wantsStream: boolean
  readonly epoch: string
  now(): number
  /** Called at most once, with what can be kept. */
  keep(answer: StoredAnswer): void
}

/** Says of a choice that it did not come to its end; the closing quotes can't be part of a text, where they are escaped. */
const BROKEN_OFF = /"finish_reason"\s*:\s*"(?:abort|error)"/

/** Says of a choice that it came to some end. */
const FINISHED = /"finish_reason"\s*:\s*"/

export class AnswerKeeper {
  readonly #options: AnswerKeeperOptions
  #head: KeptHead | null = null
  #chunks: Uint8Array[] = []
  #bytes = 0

  constructor(options: AnswerKeeperOptions) {
    this.#options = options
  }

  open(head: KeptHead): void {
    const { model, wantsStream } = this.#options
    const isExpected = mediaType(head.headers) === (wantsStream ? 'text/event-stream' : 'application/json')
    if (head.status === 200 && head.model === model && isExpected && mayBeKept(head.headers)) this.#head = head
  }

  push(bytes: Uint8Array): void {
    if (this.#head === null) return
    this.#bytes += bytes.length
    if (this.#bytes > this.#options.maxBodyBytes) return this.#giveUp()
    this.#chunks.push(bytes)
  }

  end(end: StreamEnd): void {
    const head = this.#head
    const { party, model, epoch, wantsStream, now, keep } = this.#options
    if (head === null || end !== 'complete') return this.#giveUp()
    const body = joinBytes(this.#chunks)
    this.#giveUp()
    if (!isWhole(body, wantsStream)) return
    const headers = Object.entries(toClientHeaders(head.headers)).filter(([name]) => name !== 'retry-after')
    keep({ party, model, headers, body, storedAtMs: now(), epoch })
  }

  #giveUp(): void {
    this.#head = null
    this.#chunks = []
  }
}

/** A stream's events have been looked at for its end and for errors; of JSON a cut could have looked like the end. */
function isWhole(body: Uint8Array, isStream: boolean): boolean {
  const text = decode(body)
  if (text === null || BROKEN_OFF.test(text) || !FINISHED.test(text)) return false
  return isStream || (looksLikeWholeJson(body) && isAnswer(text))
}

function decode(body: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body)
  } catch {
    // Not text after all: passed on as it came, and not kept.
    return null
  }
}

/** Gateways in front of engines give errors with status 200, too. */
function isAnswer(text: string): boolean {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body !== 'object' || body === null || !('choices' in body)) return false
    const hasFailed = 'error' in body && body.error !== null
    return !hasFailed && Array.isArray(body.choices) && body.choices.length > 0
  } catch {
    // Cut, or never JSON.
    return false
  }
}
