// Token ids in memory, bounded by bytes, number and age; what was not used for longest makes room.

export interface TokenMemoryOptions {
  readonly maxBytes: number
  readonly maxEntries: number
  readonly ttlMs: number
  now(): number
}

interface Entry {
  readonly ids: Uint32Array
  readonly expiresAtMs: number
}

/** What an entry costs beside its ids: key, entry and its place in the map. */
const ENTRY_BYTES = 256

export class TokenMemory {
  readonly #options: TokenMemoryOptions
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  constructor(options: TokenMemoryOptions) {
    this.#options = options
  }

  get(key: string): Uint32Array | null {
    const entry = this.#entries.get(key)
    if (entry === undefined) return null
    this.#entries.delete(key)
    if (entry.expiresAtMs <= this.#options.now()) {
      this.#bytes -= bytesOf(entry.ids)
      return null
    }
    this.#entries.set(key, entry)
    return entry.ids
  }

  /** Ids that the whole budget would not hold are not kept. */
  set(key: string, ids: Uint32Array): void {
    const { maxBytes, maxEntries, ttlMs, now } = this.#options
    this.#drop(key)
    if (bytesOf(ids) > maxBytes) return
    this.#entries.set(key, { ids, expiresAtMs: now() + ttlMs })
    this.#bytes += bytesOf(ids)
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= maxBytes && this.#entries.size <= maxEntries) break
      this.#drop(oldest)
    }
  }

  size(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#entries.size, bytes: this.#bytes }
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#bytes -= bytesOf(entry.ids)
  }
}

function bytesOf(ids: Uint32Array): number {
  return ENTRY_BYTES + ids.byteLength
}
