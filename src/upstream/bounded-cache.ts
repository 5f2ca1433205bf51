// Answers of services that were given lately, bounded by bytes. The texts they are about are not kept, only digests.

export interface BoundedCacheOptions<Value> {
  readonly maxBytes: number
  /** What a value takes, without its key. */
  bytesOf(value: Value): number
}

/** What an entry takes beside its value: its key, and the map's own. */
const ENTRY_BYTES = 160

export class BoundedCache<Value> {
  readonly #options: BoundedCacheOptions<Value>
  /** In the order of their last use, oldest first. */
  readonly #values = new Map<string, Value>()
  #bytes = 0

  constructor(options: BoundedCacheOptions<Value>) {
    this.#options = options
  }

  get(key: string): Value | null {
    const value = this.#values.get(key)
    if (value === undefined) return null
    this.#values.delete(key)
    this.#values.set(key, value)
    return value
  }

  set(key: string, value: Value): void {
    this.#remove(key)
    this.#values.set(key, value)
    this.#bytes += this.#sizeOf(value)
    for (const oldest of this.#values.keys()) {
      if (this.#bytes <= this.#options.maxBytes) return
      this.#remove(oldest)
    }
  }

  clear(): void {
    this.#values.clear()
    this.#bytes = 0
  }

  #remove(key: string): void {
    const value = this.#values.get(key)
    if (value === undefined) return
    this.#values.delete(key)
    this.#bytes -= this.#sizeOf(value)
  }

  #sizeOf(value: Value): number {
    return this.#options.bytesOf(value) + ENTRY_BYTES
  }
}

/** Stands for a text. Nobody can make two texts with one digest, so no caller can be given what belongs to another's. */
export async function keyOfText(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return String.fromCharCode(...bytes)
}
