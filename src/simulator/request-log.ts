// The last requests a worker received, as they came, for tests that ask what a router really sent.

import { toBase64 } from './base64.ts'

/** A request as /sim/state shows it. */
export interface LoggedRequest {
  readonly method: string
  /** Path and query as they came over the wire. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly bodyEncoding: 'utf8' | 'base64'
  readonly bodyBytes: number
  /** Of the raw bytes, hexadecimal. */
  readonly sha256: string
  readonly arrivedAtMs: number
}

interface Entry {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly body: Uint8Array
  readonly arrivedAtMs: number
}

// A test that sends hundreds of large bodies should not keep them all.
const MAX_KEPT_BYTES = 64 * 1024 * 1024

/** A ring of requests. Hashing and text are left to whoever looks, so that load tests don't pay for them. */
export class RequestLog {
  seen = 0
  disconnects = 0
  readonly #limit: number
  #entries: Entry[] = []
  #bytes = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(entry: Entry): void {
    this.seen++
    if (this.#limit === 0) return
    this.#entries.push(entry)
    this.#bytes += entry.body.byteLength
    while (this.#entries.length > this.#limit || (this.#bytes > MAX_KEPT_BYTES && this.#entries.length > 1)) {
      this.#bytes -= this.#entries.shift()?.body.byteLength ?? 0
    }
  }

  clear(): void {
    this.seen = 0
    this.disconnects = 0
    this.#entries = []
    this.#bytes = 0
  }

  /** Oldest first. */
  list(sha256: (bytes: Uint8Array) => string): LoggedRequest[] {
    return this.#entries.map((entry) => ({
      method: entry.method,
      target: entry.target,
      headers: Object.fromEntries(entry.headers),
      ...bodyOf(entry.body),
      bodyBytes: entry.body.byteLength,
      sha256: sha256(entry.body),
      arrivedAtMs: entry.arrivedAtMs,
    }))
  }
}

function bodyOf(bytes: Uint8Array): { body: string; bodyEncoding: 'utf8' | 'base64' } {
  try {
    return { body: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), bodyEncoding: 'utf8' }
  } catch {
    // Not text: show the bytes instead.
    return { body: toBase64(bytes), bodyEncoding: 'base64' }
  }
}
