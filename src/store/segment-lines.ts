// Lines of one log file, read where an index says they are, or one after the other to make that index.

import { hasField, textField } from './line-fields.ts'
import type { LogFiles, ReadFile } from './log-files.ts'
import type { IndexedLine, Row } from './segment-index.ts'

/** Most bytes that are read at once. */
const PART_BYTES = 256 * 1024

/** A longer line is no record, and is not looked at. */
const MAX_LINE_BYTES = 4 * 1024 * 1024

/** The texts of some rows, in their order. Rows that lie together are read together. */
export async function readRows(file: Pick<ReadFile, 'read'>, rows: readonly Row[]): Promise<readonly string[]> {
  const texts: string[] = []
  for (let at = 0; at < rows.length;) {
    const span = spanFrom(rows, at)
    const content = await file.read(span.from, span.to - span.from)
    for (const { offset, bytes } of rows.slice(at, span.end)) {
      texts.push(DECODER.decode(content.subarray(offset - span.from, offset - span.from + bytes)))
    }
    at = span.end
  }
  return texts
}

const DECODER = new TextDecoder()

interface Span {
  readonly from: number
  readonly to: number
  /** The first row that is not in it. */
  readonly end: number
}

/** As many rows from `at` on as can be read in one part. */
function spanFrom(rows: readonly Row[], at: number): Span {
  let from = Number.POSITIVE_INFINITY
  let to = 0
  let end = at
  for (const { offset, bytes } of rows.slice(at)) {
    const [wouldFrom, wouldTo] = [Math.min(from, offset), Math.max(to, offset + bytes)]
    if (end > at && wouldTo - wouldFrom > PART_BYTES) break
    from = wouldFrom
    to = wouldTo
    end += 1
  }
  return { from, to, end }
}

/** Every record from one byte to another. What is no record is passed over. */
export async function* scanLines(files: LogFiles, path: string, from: number, to: number): AsyncIterable<IndexedLine> {
  let waiting: Uint8Array = new Uint8Array(0)
  let waitingAt = from
  for (let at = from; at < to;) {
    const content = await files.read(path, at, Math.min(PART_BYTES, to - at))
    if (content === null || content.length === 0) return
    at += content.length
    const joined = waiting.length === 0 ? content : join(waiting, content)
    let lineAt = 0
    for (let end = joined.indexOf(LINE_FEED); end !== -1; end = joined.indexOf(LINE_FEED, lineAt)) {
      const line = toIndexedLine(joined.subarray(lineAt, end), waitingAt + lineAt)
      if (line !== null) yield line
      lineAt = end + 1
    }
    waiting = joined.subarray(lineAt)
    waitingAt += lineAt
    if (waiting.length <= MAX_LINE_BYTES) continue
    // Not a line of ours: what follows the next line feed may be one again.
    waitingAt += waiting.length
    waiting = new Uint8Array(0)
  }
}

const LINE_FEED = 0x0a

function join(one: Uint8Array, other: Uint8Array): Uint8Array {
  const joined = new Uint8Array(one.length + other.length)
  joined.set(one)
  joined.set(other, one.length)
  return joined
}

/** Null for a line that is no record. */
function toIndexedLine(content: Uint8Array, offset: number): IndexedLine | null {
  const text = DECODER.decode(content)
  const timeMs = Date.parse(textField(text, 'timestamp') ?? '')
  if (Number.isNaN(timeMs) || !hasField(text, 'route')) return null
  const [decisionId, requestId] = [textField(text, 'decision_id') ?? '', textField(text, 'request_id') ?? '']
  return { timeMs, offset, bytes: content.length, decisionId, requestId }
}
