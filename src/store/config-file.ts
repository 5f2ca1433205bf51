// Configuration documents in the file the router was started with, which is the truth, and in a directory beside it,
// which keeps what the file said before.

import { ConfigHistory, type NextVersion } from './config-state.ts'
import type {
  ConfigDocument,
  ConfigOrigin,
  ConfigStore,
  ConfigVersion,
  PublishResult,
  Publication,
} from './config-store.ts'

/** Text files as a runtime with a disk has them. Each call rejects with a readable message. */
export interface TextFiles {
  /** Null when there is no such file. */
  read(path: string): Promise<string | null>
  /** Whoever reads meanwhile gets the old text or the new one, whole. Makes the directory; keeps the file's mode. */
  replace(path: string, text: string): Promise<void>
  /** Does nothing when there is no such file. */
  remove(path: string): Promise<void>
}

export interface FileConfigOptions {
  readonly files: TextFiles
  /** Path of the configuration file. */
  readonly path: string
  /** The file as it was loaded at the start. */
  readonly text: string
  readonly hash: string
  now(): number
  /** The versions could not be kept; the change itself was carried out. */
  onNotKept(cause: unknown): void
}

/** Starts from what the directory beside the file says of earlier versions. Never rejects for what is in there. */
export async function openFileConfigStore(options: FileConfigOptions): Promise<ConfigStore> {
  const store = new FileConfigStore(options)
  await store.resume()
  return store
}

const HASH = /^[0-9a-f]{16}$/

class FileConfigStore implements ConfigStore {
  readonly #options: FileConfigOptions
  #history = new ConfigHistory([])
  /** The file as it was last read or written here. */
  #text: string
  /** Changes wait for each other: two must not write at the same time. */
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: FileConfigOptions) {
    this.#options = options
    this.#text = options.text
  }

  async resume(): Promise<void> {
    const { hash, now } = this.#options
    const kept = new ConfigHistory(await this.#readIndex())
    const isKnown = kept.newest()?.hash === hash
    const started: NextVersion = { hash, origin: 'file', by: 'start', atMs: now() }
    this.#history = isKnown ? kept : (kept.after(kept.sequence(), started) ?? kept)
  }

  async current(): Promise<ConfigVersion> {
    const newest = this.#history.newest()
    if (newest === null) throw new Error('a file store has the version it was started with')
    return newest
  }

  async latest(): Promise<ConfigDocument> {
    return { text: await this.#readFile(), origin: 'file' }
  }

  async read(hash: string): Promise<ConfigDocument | null> {
    const version = this.#history.versions.find((known) => known.hash === hash)
    if (version === undefined || !HASH.test(hash)) return null
    if (hash === this.#history.newest()?.hash) return { text: this.#text, origin: version.origin }
    const text = await this.#options.files.read(this.#documentPath(hash))
    return text === null ? null : { text, origin: version.origin }
  }

  publish(publication: Publication): Promise<PublishResult> {
    const published = this.#queue.then(() => this.#publish(publication))
    // A change that fails must not keep the next one from its turn.
    this.#queue = published.catch(() => {})
    return published
  }

  async versions(): Promise<readonly ConfigVersion[]> {
    return this.#history.versions
  }

  async #publish({ text, hash, origin, by, expectedSequence }: Publication): Promise<PublishResult> {
    const { files, path, now } = this.#options
    const next = this.#history.after(expectedSequence, { hash, origin, by, atMs: now() })
    const previous = this.#history.newest()
    if (next === null || previous === null) return { ok: false, conflict: 'sequence' }
    const onDisk = await this.#readFile()
    if (onDisk !== (origin === 'file' ? text : this.#text)) return { ok: false, conflict: 'edited' }
    await this.#keep(async () => {
      await files.replace(this.#documentPath(previous.hash), this.#text)
      await files.replace(this.#documentPath(hash), text)
    }, origin)
    if (origin !== 'file') await files.replace(path, text)
    const before = this.#history
    this.#history = next
    this.#text = text
    // The file says what runs; an index that could not be written is behind by one version, no more.
    await this.#keep(() => this.#writeIndex(before), 'file')
    return { ok: true, pointer: await this.current() }
  }

  /** What came by the file is in effect whether or not it can be kept; what comes by the API must be kept to be undone. */
  async #keep(write: () => Promise<void>, origin: ConfigOrigin): Promise<void> {
    try {
      await write()
    } catch (cause) {
      if (origin !== 'file') throw cause
      this.#options.onNotKept(cause)
    }
  }

  async #readFile(): Promise<string> {
    const { files, path } = this.#options
    const text = await files.read(path)
    if (text === null) throw new Error(`${path} is gone`)
    return text
  }

  async #writeIndex(before: ConfigHistory): Promise<void> {
    const { files } = this.#options
    await files.replace(this.#indexPath(), `${JSON.stringify({ versions: this.#history.versions }, null, 2)}\n`)
    const dropped = before.versions.filter(({ hash }) => !this.#history.has(hash))
    for (const { hash } of dropped) await files.remove(this.#documentPath(hash))
  }

  async #readIndex(): Promise<readonly ConfigVersion[]> {
    try {
      const text = await this.#options.files.read(this.#indexPath())
      const index: unknown = text === null ? null : JSON.parse(text)
      if (typeof index !== 'object' || index === null || !('versions' in index)) return []
      return Array.isArray(index.versions) && index.versions.every(isVersion) ? index.versions : []
    } catch (cause) {
      this.#options.onNotKept(cause)
      return []
    }
  }

  #directory(): string {
    return `${this.#options.path}.versions`
  }

  #indexPath(): string {
    return `${this.#directory()}/index.json`
  }

  #documentPath(hash: string): string {
    return `${this.#directory()}/${hash}.yaml`
  }
}

function isVersion(value: unknown): value is ConfigVersion {
  if (typeof value !== 'object' || value === null) return false
  const { hash, sequence, atMs, by, origin }: Partial<Record<keyof ConfigVersion, unknown>> = value
  return (
    typeof hash === 'string' &&
    HASH.test(hash) &&
    typeof sequence === 'number' &&
    typeof atMs === 'number' &&
    typeof by === 'string' &&
    (origin === 'file' || origin === 'bundled' || origin === 'api')
  )
}
