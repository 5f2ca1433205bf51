// Records on their way to a file: in order, within a budget of bytes, each with somebody who waits to hear of it.

import type { DecisionRecord } from '../record/schema.ts'
import type { ViewDocument } from '../record/view-document.ts'
import type { ExportLine } from './export-file.ts'

/** What was handed over in one call. */
interface Group {
  readonly lines: readonly ExportLine[]
  readonly views: readonly ViewDocument[]
  /** Of memory, about. */
  readonly bytes: number
  readonly sinceMs: number
  settle(error: Error | null): void
}

export interface Batch {
  readonly groups: readonly Group[]
  readonly lines: readonly ExportLine[]
  readonly views: readonly ViewDocument[]
  readonly bytes: number
}

export class WaitingLines {
  readonly #maxBytes: number
  #groups: Group[] = []
  #bytes = 0
  #count = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Records. */
  get count(): number {
    return this.#count
  }

  get isEmpty(): boolean {
    return this.#groups.length === 0
  }

  /** When the oldest came; null when nothing waits. */
  get sinceMs(): number | null {
    return this.#groups[0]?.sinceMs ?? null
  }

  /** Null when there is no room. Otherwise resolves once they are written, and rejects if that is given up. */
  add(records: readonly DecisionRecord[], views: readonly ViewDocument[], nowMs: number): Promise<void> | null {
    const lines = records.map(toLine)
    const bytes = lines.reduce((sum, { text }) => sum + text.length + OVERHEAD_BYTES, 0)
    if (this.#bytes + bytes > this.#maxBytes) return null
    this.#bytes += bytes
    this.#count += lines.length
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null) => (error === null ? resolve() : reject(error))
      this.#groups.push({ lines, views, bytes, sinceMs: nowMs, settle })
    })
  }

  /** The oldest, up to so many bytes, at least one group. They stay here until `remove`. */
  first(maxBytes: number): Batch {
    let bytes = 0
    let count = 0
    for (const group of this.#groups) {
      if (count > 0 && bytes + group.bytes > maxBytes) break
      bytes += group.bytes
      count += 1
    }
    const groups = this.#groups.slice(0, count)
    const lines = groups.flatMap((group) => group.lines)
    return { groups, lines, views: groups.flatMap(({ views }) => views), bytes }
  }

  /** What `first` gave has been written, or is given up. */
  remove({ groups, lines, bytes }: Batch, error: Error | null): void {
    this.#groups.splice(0, groups.length)
    this.#bytes -= bytes
    this.#count -= lines.length
    for (const { settle } of groups) settle(error)
  }
}

function toLine(record: DecisionRecord): ExportLine {
  return {
    timeMs: Date.parse(record.timestamp),
    decisionId: record.decision_id,
    requestId: record.request_id,
    text: JSON.stringify(record),
  }
}

/** What a record that waits takes besides its text: its place in the queue, and the promise of whoever waits for it. */
const OVERHEAD_BYTES = 600
