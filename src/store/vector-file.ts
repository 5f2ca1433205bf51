// VectorStore in a file: what a process computed is there for the next one. The file is read and written whole, which happens
// when texts of a configuration have changed, or a process begins.

import type { TextFiles } from './config-file.ts'
import { MAX_KEPT_VECTORS, type VectorEntry, type VectorStore } from './vector-store.ts'

export interface VectorFileOptions {
  readonly files: Pick<TextFiles, 'read' | 'replace'>
  readonly path: string
  now(): number
}

interface Kept {
  readonly expiresAtMs: number
  readonly vector: string
}

export function createVectorFile(options: VectorFileOptions): VectorStore {
  return new VectorFile(options)
}

class VectorFile implements VectorStore {
  readonly backend = 'file'
  readonly #options: VectorFileOptions
  /** Writes wait for each other: the later one must find what the earlier one wrote. */
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: VectorFileOptions) {
    this.#options = options
  }

  async read(keys: readonly string[]): Promise<readonly (string | null)[]> {
    const kept = await this.#kept()
    return keys.map((key) => kept.get(key)?.vector ?? null)
  }

  write(entries: readonly VectorEntry[], ttlMs: number): Promise<void> {
    const written = this.#queue.then(() => this.#write(entries, ttlMs))
    // One that fails must not keep the next one from its turn.
    this.#queue = written.catch(() => {})
    return written
  }

  async #write(entries: readonly VectorEntry[], ttlMs: number): Promise<void> {
    const { files, path, now } = this.#options
    // What can't be read is written over: it is of no use to anybody.
    const kept = await this.#kept().catch(() => new Map<string, Kept>())
    const expiresAtMs = now() + ttlMs
    for (const [key, vector] of entries) kept.set(key, { expiresAtMs, vector })
    const latest = [...kept].toSorted(([, one], [, other]) => other.expiresAtMs - one.expiresAtMs)
    await files.replace(path, `${JSON.stringify(Object.fromEntries(latest.slice(0, MAX_KEPT_VECTORS)))}\n`)
  }

  /** Those that are still good. */
  async #kept(): Promise<Map<string, Kept>> {
    const text = await this.#options.files.read(this.#options.path)
    const parsed: unknown = text === null ? {} : JSON.parse(text)
    if (typeof parsed !== 'object' || parsed === null) return new Map()
    const nowMs = this.#options.now()
    const entries = Object.entries(parsed).filter((entry): entry is [string, Kept] => isKept(entry[1]))
    return new Map(entries.filter(([, { expiresAtMs }]) => expiresAtMs > nowMs))
  }
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== 'object' || value === null) return false
  const { expiresAtMs, vector }: Partial<Record<keyof Kept, unknown>> = value
  return typeof expiresAtMs === 'number' && typeof vector === 'string'
}
