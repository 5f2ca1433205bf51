// Reads an exported log back: the file that is written to and those put aside, newest first, by their indexes.

import type { StoredRecord } from '../record/stored-record.ts'
import type { DecisionPage, DecisionQuery, TimeRange } from './decision-log.ts'
import { mergePages } from './decision-pages.ts'
import { positionOf } from './decision-position.ts'
import type { ExportFile } from './export-file.ts'
import type { ExportPaths } from './export-paths.ts'
import { LiveIndex } from './live-index.ts'
import type { LogFiles, ReadFile } from './log-files.ts'
import { exportOf, findIn, pageOf, type Segment } from './segment.ts'
import type { SegmentIndex } from './segment-index.ts'
import { scanLines } from './segment-lines.ts'
import { encodeIndex, StoredIndex } from './stored-index.ts'

export interface DecisionFileReaderOptions {
  readonly files: LogFiles
  readonly paths: ExportPaths
  readonly file: Pick<ExportFile, 'index' | 'generation'>
}

/** Records that are looked at for one page. */
const MAX_ROWS = 50_000

/** A file that nobody has opened yet. */
interface Place {
  readonly index: SegmentIndex
  /** Null when it has been deleted meanwhile. */
  open(): Promise<ReadFile | null>
}

export class DecisionFileReader {
  readonly #options: DecisionFileReaderOptions
  /** Of files that are no longer written to. */
  readonly #indexes = new Map<string, StoredIndex>()

  constructor(options: DecisionFileReaderOptions) {
    this.#options = options
  }

  async query(query: DecisionQuery): Promise<DecisionPage> {
    let page: DecisionPage = { records: [], end: null }
    let rowsLeft = MAX_ROWS
    for await (const segment of this.#newestFirst(query.filters.sinceMs ?? Number.NEGATIVE_INFINITY)) {
      const end = endOf(page, query.limit)
      // This file, and all that follow, lie behind what the page ends with.
      if (end !== null && segment.index.lastMs < end.timeMs) return { records: page.records, end }
      const pageOfOne = await pageOf(segment, query, rowsLeft)
      rowsLeft -= segment.index.count
      page = mergePages([page, pageOfOne], query.limit)
    }
    return page
  }

  async find(id: string): Promise<StoredRecord | null> {
    for await (const segment of this.#newestFirst(Number.NEGATIVE_INFINITY)) {
      const found = await findIn(segment, id)
      if (found !== null) return found
    }
    return null
  }

  async *exportRange(range: TimeRange): AsyncIterable<string> {
    for await (const segment of this.#oldestFirst(range)) yield* exportOf(segment, range)
  }

  async *#newestFirst(sinceMs: number): AsyncIterable<Segment> {
    const { active, places } = await this.#survey()
    try {
      yield* opened(places.filter(({ index }) => index.lastMs >= sinceMs))
    } finally {
      await active?.close()
    }
  }

  async *#oldestFirst({ sinceMs, untilMs }: TimeRange): AsyncIterable<Segment> {
    const { active, places } = await this.#survey()
    try {
      yield* opened(
        places
          .filter(({ index }) => index.lastMs >= sinceMs && index.firstMs < untilMs)
          .sort((one, other) => one.index.firstMs - other.index.firstMs),
      )
    } finally {
      await active?.close()
    }
  }

  /** Every file as it was at one moment, those with the newest records first. The one that is written to is open. */
  async #survey(): Promise<{ readonly active: ReadFile | null; readonly places: readonly Place[] }> {
    const { files, paths, file } = this.#options
    for (;;) {
      const { generation } = file
      const active = await files.openRead(paths.active)
      const places: Place[] = active === null ? [] : [{ index: await file.index(), open: async () => keptOpen(active) }]
      for (const { name, bytes } of await files.list(paths.directory)) {
        if (paths.parseRotated(name) === null) continue
        places.push({ index: await this.#indexOf(name, bytes), open: () => files.openRead(paths.inDirectory(name)) })
      }
      places.sort((one, other) => other.index.lastMs - one.index.lastMs)
      if (file.generation === generation) return { active, places }
      // Put aside meanwhile: its index is of a file that has another name by now.
      await active?.close()
    }
  }

  async #indexOf(name: string, bytes: number): Promise<SegmentIndex> {
    const { files, paths } = this.#options
    const known = this.#indexes.get(name)
    if (known !== undefined) return known
    const stored = await StoredIndex.open(files, paths.index(name), bytes)
    if (stored !== null) {
      this.#indexes.set(name, stored)
      return stored
    }
    const made = new LiveIndex()
    for await (const line of scanLines(files, paths.inDirectory(name), 0, bytes)) made.add(line)
    // A directory that takes no index makes this slow, not wrong.
    await files.replace(paths.index(name), encodeIndex(made, bytes)).catch(() => {})
    return made
  }
}

/** Where a page ends that has all it can have; null for one that goes on. */
function endOf({ records, end }: DecisionPage, limit: number): DecisionPage['end'] {
  const last = records.length >= limit ? records.at(-1) : undefined
  return end ?? (last === undefined ? null : positionOf(last))
}

function keptOpen(file: ReadFile): ReadFile {
  return { read: (from, length) => file.read(from, length), close: async () => {} }
}

/** Opens each in its turn, and closes it when the next is asked for, or none is. */
async function* opened(places: readonly Place[]): AsyncIterable<Segment> {
  for (const { index, open } of places) {
    const file = await open()
    if (file === null) continue
    try {
      yield { index, file }
    } finally {
      await file.close()
    }
  }
}
