// The index of a log file that is no longer written to, as a file beside it: rows by time, then hashes of ids in order,
// each found by reading a few small parts.

import type { LiveIndex } from './live-index.ts'
import type { LogFiles } from './log-files.ts'
import { hashId, type IdHash, type Row, type SegmentIndex } from './segment-index.ts'

/** The letters `VLRI` and the version of this layout. All numbers are little-endian. */
const MAGIC = 0x4952_4c56
const VERSION = 1

const HEADER_BYTES = 40
const ROW_BYTES = 20
const HASH_BYTES = 12

/** Hashes that are read at once when this few are left to search. */
const HASHES_AT_ONCE = 340

/** An index and the size of the file it is of, to be written beside it. */
export function encodeIndex(index: LiveIndex, fileBytes: number): Uint8Array {
  const { count } = index
  const content = new Uint8Array(HEADER_BYTES + count * (ROW_BYTES + 2 * HASH_BYTES))
  const view = new DataView(content.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, VERSION, true)
  view.setUint32(8, count, true)
  view.setFloat64(16, fileBytes, true)
  view.setFloat64(24, index.firstMs, true)
  view.setFloat64(32, index.lastMs, true)
  for (let at = 0; at < count; at += 1) {
    const { timeMs, offset, bytes } = index.row(at)
    const base = HEADER_BYTES + at * ROW_BYTES
    view.setFloat64(base, timeMs, true)
    view.setFloat64(base + 8, offset, true)
    view.setUint32(base + 16, bytes, true)
  }
  const hashesAt = HEADER_BYTES + count * ROW_BYTES
  for (const [place, { high, low, row }] of sortedHashes(index).entries()) {
    const base = hashesAt + place * HASH_BYTES
    view.setUint32(base, high, true)
    view.setUint32(base + 4, low, true)
    view.setUint32(base + 8, row, true)
  }
  return content
}

interface HashEntry extends IdHash {
  readonly row: number
}

function sortedHashes(index: LiveIndex): readonly HashEntry[] {
  const entries = Array.from({ length: index.count }, (_, row) =>
    index.hashesOf(row).map((hash): HashEntry => ({ ...hash, row })),
  ).flat()
  // Of many records of one id the newest are found first.
  return entries.sort((one, other) => compareHashes(one, other) || other.row - one.row)
}

function compareHashes(one: IdHash, other: IdHash): number {
  return one.high === other.high ? one.low - other.low : one.high - other.high
}

export class StoredIndex implements SegmentIndex {
  readonly count: number
  readonly firstMs: number
  readonly lastMs: number
  readonly #files: LogFiles
  readonly #path: string

  private constructor(files: LogFiles, path: string, header: DataView) {
    this.#files = files
    this.#path = path
    this.count = header.getUint32(8, true)
    this.firstMs = header.getFloat64(24, true)
    this.lastMs = header.getFloat64(32, true)
  }

  /** Null when there is none, or it is of another file: one that grew, or was cut. */
  static async open(files: LogFiles, path: string, fileBytes: number): Promise<StoredIndex | null> {
    const content = await files.read(path, 0, HEADER_BYTES)
    if (content === null || content.length < HEADER_BYTES) return null
    const header = toView(content)
    const isOurs = header.getUint32(0, true) === MAGIC && header.getUint32(4, true) === VERSION
    if (!isOurs || header.getFloat64(16, true) !== fileBytes) return null
    const index = new StoredIndex(files, path, header)
    return (await files.size(path)) === HEADER_BYTES + index.count * (ROW_BYTES + 2 * HASH_BYTES) ? index : null
  }

  async rows(from: number, to: number): Promise<readonly Row[]> {
    const first = Math.max(0, from)
    const count = Math.max(0, Math.min(to, this.count) - first)
    if (count === 0) return []
    const view = await this.#read(HEADER_BYTES + first * ROW_BYTES, count * ROW_BYTES)
    return Array.from({ length: count }, (_, at) => ({
      timeMs: view.getFloat64(at * ROW_BYTES, true),
      offset: view.getFloat64(at * ROW_BYTES + 8, true),
      bytes: view.getUint32(at * ROW_BYTES + 16, true),
    }))
  }

  async lookup(id: string): Promise<readonly Row[]> {
    const wanted = hashId(id)
    let low = 0
    let high = 2 * this.count
    // Ids with one hash lie side by side: the first of them is looked for.
    while (high - low > HASHES_AT_ONCE) {
      const middle = (low + high) >>> 1
      const [entry] = await this.#hashes(middle, middle + 1)
      if (entry !== undefined && compareHashes(entry, wanted) < 0) low = middle + 1
      else high = middle
    }
    const near = await this.#hashes(low, Math.min(2 * this.count, high + HASHES_AT_ONCE))
    const rows = near.filter((entry) => compareHashes(entry, wanted) === 0).map(({ row }) => row)
    return (await Promise.all([...new Set(rows)].map((row) => this.rows(row, row + 1)))).flat()
  }

  async #hashes(from: number, to: number): Promise<readonly HashEntry[]> {
    if (to <= from) return []
    const hashesAt = HEADER_BYTES + this.count * ROW_BYTES
    const view = await this.#read(hashesAt + from * HASH_BYTES, (to - from) * HASH_BYTES)
    return Array.from({ length: to - from }, (_, at) => ({
      high: view.getUint32(at * HASH_BYTES, true),
      low: view.getUint32(at * HASH_BYTES + 4, true),
      row: view.getUint32(at * HASH_BYTES + 8, true),
    }))
  }

  async #read(from: number, length: number): Promise<DataView> {
    const content = await this.#files.read(this.#path, from, length)
    if (content === null || content.length < length) throw new Error(`the index ${this.#path} was cut short`)
    return toView(content)
  }
}

function toView(content: Uint8Array): DataView {
  return new DataView(content.buffer, content.byteOffset, content.byteLength)
}
