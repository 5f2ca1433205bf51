// The file that an exported log is written to: opened, mended after a crash, added to, put aside when it is full.

import type { ExportPaths } from './export-paths.ts'
import { hasField } from './line-fields.ts'
import { LiveIndex } from './live-index.ts'
import type { AppendFile, LogFiles } from './log-files.ts'
import type { IndexedLine } from './segment-index.ts'
import { scanLines } from './segment-lines.ts'
import { encodeIndex } from './stored-index.ts'

/** A record as it will stand in the file. */
export interface ExportLine extends Omit<IndexedLine, 'offset' | 'bytes'> {
  readonly text: string
}

/** Lines as bytes, their line feeds included. */
export interface EncodedLines {
  readonly lines: readonly ExportLine[]
  readonly contents: readonly Uint8Array[]
  readonly bytes: number
}

export function encodeLines(lines: readonly ExportLine[]): EncodedLines {
  const contents = lines.map(({ text }) => ENCODER.encode(`${text}\n`))
  return { lines, contents, bytes: contents.reduce((bytes, { length }) => bytes + length, 0) }
}

export interface ExportFileOptions {
  readonly files: LogFiles
  readonly paths: ExportPaths
  now(): number
}

/** A file is put aside with no more records than this, so that its index stays small. */
const MAX_RECORDS = 1_000_000

/** The end of a file that is looked through for a line that a crash cut short. */
const TAIL_BYTES = 4 * 1024 * 1024

const LINE_FEED = 0x0a

const ENCODER = new TextEncoder()

export class ExportFile {
  readonly #options: ExportFileOptions
  #file: AppendFile | null = null
  #bytes = 0
  #index = new LiveIndex()
  /** What of the file is in the index: the rest is from before this process, and read when somebody asks. */
  #indexedBytes = 0
  /** After a write that failed: where it began, and where it would have ended. */
  #torn: { readonly from: number; readonly to: number } | null = null
  /** Rises whenever the path leads to another file. */
  #generation = 0

  constructor(options: ExportFileOptions) {
    this.#options = options
  }

  get bytes(): number {
    return this.#bytes
  }

  get generation(): number {
    return this.#generation
  }

  /** Makes sure that what is written now ends up where the path leads. */
  async ensureOpen(): Promise<void> {
    const { files, paths } = this.#options
    const size = this.#file === null ? null : await this.#file.sizeInPlace()
    if (size !== null) {
      // More than is known when another process writes to it too, as one that is about to end does.
      this.#bytes = size
      return
    }
    await this.#drop()
    const file = await files.openAppend(paths.active)
    try {
      this.#bytes = await this.#mend(file)
    } catch (cause) {
      await file.close().catch(() => {})
      throw cause
    }
    this.#file = file
    this.#generation += 1
    this.#torn = null
    this.#index = new LiveIndex()
    this.#indexedBytes = 0
  }

  /** Whether so many more bytes still belong into this file. */
  hasRoom(bytes: number, limit: number): boolean {
    return this.#bytes === 0 || (this.#bytes + bytes <= limit && this.#index.count < MAX_RECORDS)
  }

  /** Adds whole lines, all or none: what a failure leaves of them is cut off before the next are written. */
  async append(encoded: EncodedLines, isSynced: boolean): Promise<void> {
    const file = this.#file
    if (file === null) throw new Error('the export is not open')
    const content = joined(encoded)
    const from = this.#bytes
    try {
      await file.append(content)
      if (isSynced) await file.sync()
    } catch (cause) {
      await this.#drop()
      this.#torn = { from, to: from + content.length }
      throw cause
    }
    this.#bytes = await file.size().catch(() => from + content.length)
    // Where another process wrote in between, the lines are looked for when somebody asks.
    if (this.#indexedBytes === from && this.#bytes === from + content.length) this.#note(encoded)
  }

  /** Puts the file aside under a name of its own. The next write begins a new one. */
  async rotate(): Promise<void> {
    const { files, paths } = this.#options
    const index = await this.index()
    const bytes = this.#bytes
    const name = await this.#claimName()
    try {
      await files.rename(paths.active, paths.inDirectory(name))
    } catch (cause) {
      await files.remove(paths.index(name)).catch(() => {})
      throw cause
    }
    await this.#drop()
    this.#generation += 1
    this.#bytes = 0
    this.#index = new LiveIndex()
    this.#indexedBytes = 0
    // It can be made anew from the file, so a disk that is full by now is no reason to stop.
    await files.replace(paths.index(name), encodeIndex(index, bytes)).catch(() => {})
  }

  /** The index of the whole file. */
  async index(): Promise<LiveIndex> {
    const { files, paths } = this.#options
    const index = this.#index
    while (this.#indexedBytes < this.#bytes && this.#index === index) {
      const to = this.#bytes
      const found: IndexedLine[] = []
      for await (const line of scanLines(files, paths.active, this.#indexedBytes, to)) found.push(line)
      if (this.#index !== index || this.#indexedBytes >= to) break
      for (const line of found) index.add(line)
      this.#indexedBytes = to
    }
    return index
  }

  async close(): Promise<void> {
    await this.#drop()
  }

  #note({ lines, contents }: EncodedLines): void {
    let offset = this.#indexedBytes
    for (const [at, { timeMs, decisionId, requestId }] of lines.entries()) {
      const bytes = contents[at]?.length ?? 0
      this.#index.add({ timeMs, decisionId, requestId, offset, bytes: bytes - 1 })
      offset += bytes
    }
    this.#indexedBytes = offset
  }

  async #drop(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close().catch(() => {})
  }

  /** Leaves whole lines only; returns the size of what is left. */
  async #mend(file: AppendFile): Promise<number> {
    const size = await file.size()
    const torn = this.#torn
    if (torn !== null && size > torn.from && size <= torn.to) {
      await file.truncate(torn.from)
      return torn.from
    }
    return this.#mendTail(file, size)
  }

  async #mendTail(file: AppendFile, size: number): Promise<number> {
    const { files, paths } = this.#options
    const from = Math.max(0, size - TAIL_BYTES)
    const content = (await files.read(paths.active, from, size - from)) ?? new Uint8Array(0)
    const tail = content.subarray(content.lastIndexOf(LINE_FEED) + 1)
    if (tail.length === 0) return size
    const text = new TextDecoder().decode(tail)
    // Only what is surely the beginning of a record of ours is thrown away.
    const isTorn = text.startsWith('{"schema_version":') && !isWhole(text)
    try {
      // Comes after whatever another process is writing at this moment.
      await file.append(Uint8Array.of(LINE_FEED))
    } catch (cause) {
      // A disk that is full has room again once that is gone.
      if (!isTorn) throw cause
    }
    const sizeNow = await file.size()
    if (!isTorn || sizeNow > size + 1) return sizeNow
    await file.truncate(size - tail.length)
    return size - tail.length
  }

  /** By its index: another process may be putting a file aside at this moment, and one would replace the other. */
  async #claimName(): Promise<string> {
    const { files, paths, now } = this.#options
    for (let sequence = await this.#nextSequence(); ; sequence += 1) {
      const name = paths.rotatedName(now(), sequence)
      if (await files.claim(paths.index(name))) return name
    }
  }

  /** One more than any file has: also those that another process has put aside. */
  async #nextSequence(): Promise<number> {
    const { files, paths } = this.#options
    const entries = await files.list(paths.directory)
    return entries.reduce((most, { name }) => Math.max(most, paths.parseRotated(name)?.sequence ?? 0), 0) + 1
  }
}

function isWhole(text: string): boolean {
  try {
    JSON.parse(text)
    return hasField(text, 'decision_id')
  } catch {
    return false
  }
}

function joined({ contents, bytes }: EncodedLines): Uint8Array {
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const content of contents) {
    whole.set(content, at)
    at += content.length
  }
  return whole
}
