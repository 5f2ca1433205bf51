// Purges of cached answers as a fleet passes them on: whoever keeps answers in its own memory hears of them with the state of
// the fleet.

/** What a purge is of; `key` is the one of a single answer. */
export type PurgeScope = { readonly kind: 'all' } | { readonly kind: 'tenant' | 'model' | 'key'; readonly name: string }

export interface PurgeNews {
  /** Names the memory that counts them, and no other life of it. */
  readonly log: string
  /** How many there have been in that life. */
  readonly count: number
  /** The latest of them, the last at the end. Whoever has missed more than these purges everything. */
  readonly latest: readonly PurgeScope[]
}

/** They are told for this long, with every state of the fleet; copies of it are older only where nobody uses them. */
const TOLD_MS = 30_000

/** As many of them: names have up to 512 characters. */
const MAX_TOLD = 32

export class PurgeLog {
  readonly #name: string
  readonly #latest: { readonly scope: PurgeScope; readonly atMs: number }[] = []
  #count = 0

  /** `name` names this memory, and no other life of it. */
  constructor(name: string) {
    this.#name = name
  }

  note(scope: PurgeScope, nowMs: number): void {
    this.#count += 1
    this.#latest.push({ scope, atMs: nowMs })
    if (this.#latest.length > MAX_TOLD) this.#latest.shift()
  }

  news(nowMs: number): PurgeNews {
    while (this.#latest[0] !== undefined && nowMs - this.#latest[0].atMs > TOLD_MS) this.#latest.shift()
    return { log: this.#name, count: this.#count, latest: this.#latest.map(({ scope }) => scope) }
  }
}
