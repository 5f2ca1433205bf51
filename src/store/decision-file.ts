// The decision log of a process with a disk: records wait a moment in memory, go to a file of JSON lines, and are found
// again there. A disk that fails is tried again and again; it never fails a request.

import type { DecisionLogConfig } from '../config/config.ts'
import type { DecisionRecord } from '../record/schema.ts'
import type { ViewDocument } from '../record/view-document.ts'
import { DecisionFileReader } from './decision-file-reader.ts'
import type { DecisionLogStatus, DecisionLogStore, DecisionPage, DecisionQuery, TimeRange } from './decision-log.ts'
import { encodeLines, ExportFile } from './export-file.ts'
import { ExportPaths } from './export-paths.ts'
import { ExportRetention } from './export-retention.ts'
import { isSampled } from './export-sample.ts'
import type { LogFiles } from './log-files.ts'
import { type DecisionLogChange, LogHealth } from './log-health.ts'
import { ViewFiles } from './view-files.ts'
import { type Batch, WaitingLines } from './waiting-lines.ts'

export interface DecisionFileOptions {
  readonly files: LogFiles
  readonly path: string
  /** Settings to begin with. */
  readonly config: DecisionLogConfig
  now(): number
  /** Calls `task` once after `delayMs`; the function returned calls it off. */
  after(delayMs: number, task: () => void): () => void
  /** Told when writing begins to fail, when records begin to be lost, and when all is well again. */
  onChange(change: DecisionLogChange): void
}

/** What may wait for a disk that does not take it. */
export const MAX_WAITING_BYTES = 64 * 1024 * 1024

const TOO_SLOW = 'the disk is too slow'

/** So much is written at once, and without waiting for the interval. */
const BATCH_BYTES = 512 * 1024

const FIRST_RETRY_MS = 500
const MAX_RETRY_MS = 30_000

/** How long the start and the end of a process wait for a disk that does not answer. */
const OPEN_MS = 3_000
const CLOSE_MS = 5_000

/** How often old files are looked for. */
const RETENTION_MS = 3_600_000

export class DecisionFile implements DecisionLogStore {
  readonly noteOpen = null
  readonly #options: DecisionFileOptions
  #config: DecisionLogConfig
  readonly #file: ExportFile
  readonly #reader: DecisionFileReader
  readonly #views: ViewFiles
  readonly #retention: ExportRetention
  readonly #waiting = new WaitingLines(MAX_WAITING_BYTES)
  #writing: Promise<void> | null = null
  #callOffWrite: (() => void) | null = null
  #callOffRetention: () => void = () => {}
  #retryMs = 0
  #isClosed = false
  /** The file that the documents known to be there were written for. */
  #viewsBeside = 0
  /** When a file that could not be put aside is tried again; 0 when all is well. */
  #rotateAgainAtMs = 0
  readonly #health: LogHealth
  #stored = 0
  #exported = 0

  constructor(options: DecisionFileOptions) {
    const { files, path, now } = options
    const paths = new ExportPaths(path)
    this.#options = options
    this.#config = options.config
    this.#file = new ExportFile({ files, paths, now })
    this.#reader = new DecisionFileReader({ files, paths, file: this.#file })
    this.#views = new ViewFiles({ files, paths })
    this.#retention = new ExportRetention({ files, paths, config: () => this.#config, now })
    this.#health = new LogHealth({ waiting: () => this.#waiting.count, onChange: options.onChange })
  }

  /** Opens the file, so that an operator learns at once when it can't be. Never rejects, and takes a few seconds at most. */
  async open(): Promise<void> {
    let isOpen = false
    const opening = this.#inTurn(async () => {
      try {
        await this.#file.ensureOpen()
        await this.#tidy()
        this.#succeeded()
      } catch (cause) {
        this.#failed(cause)
      }
      isOpen = true
    })
    await this.#atMost(OPEN_MS, opening)
    if (!isOpen) this.#health.failed(TOO_SLOW)
    this.#keepTidy()
  }

  /** Other settings from now on; the file stays. What waits is written at once: it may have waited long enough by now. */
  use(config: DecisionLogConfig): void {
    this.#config = config
    if (this.#isClosed) return
    void this.flush()
    this.#keepTidy()
  }

  async append(records: readonly DecisionRecord[], views: readonly ViewDocument[]): Promise<void> {
    const { exportSample } = this.#config
    const exported = records.filter(({ decision_id: id }) => isSampled(id, exportSample))
    const written = exported.length === 0 ? Promise.resolve() : this.#waiting.add(exported, views, this.#options.now())
    if (written === null) {
      this.#health.lose(exported.length, TOO_SLOW)
      throw new Error(`the decision log has no room: ${this.#health.failing ?? TOO_SLOW}`)
    }
    this.#stored += records.length
    this.#writeSoon()
    return written
  }

  query(query: DecisionQuery): Promise<DecisionPage> {
    return this.#reader.query(query)
  }

  find(id: string) {
    return this.#reader.find(id)
  }

  findView(hash: string): Promise<ViewDocument | null> {
    return this.#views.find(hash)
  }

  async *exportRange(range: TimeRange): AsyncIterable<string> {
    await this.flush()
    yield* this.#reader.exportRange(range)
  }

  async status(): Promise<DecisionLogStatus> {
    const { sinceMs, count } = this.#waiting
    return {
      kind: 'file',
      stored: this.#stored,
      exported: this.#exported,
      waiting: count,
      lagMs: sinceMs === null ? 0 : Math.max(0, this.#options.now() - sinceMs),
      lost: this.#health.lost,
      failing: this.#health.failing,
    }
  }

  /** Writes what waits, without waiting for the interval. Never rejects. */
  async flush(): Promise<void> {
    this.#callOffWrite?.()
    this.#callOffWrite = null
    // Whatever came while an earlier write was under way is written too.
    await this.#writing
    await this.#write()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#callOffRetention()
    await this.#atMost(
      CLOSE_MS,
      this.flush().then(() => this.#file.close()),
    )
    const { count } = this.#waiting
    if (count === 0) return
    this.#health.lose(count, TOO_SLOW)
    const rest = this.#waiting.first(Number.POSITIVE_INFINITY)
    this.#waiting.remove(rest, new Error('the process ended before this could be written'))
  }

  /** A write that has failed waits for its next try; else the budget of time or of bytes decides. */
  #writeSoon(): void {
    if (this.#writing !== null || this.#waiting.isEmpty) return
    const { fsync, exportIntervalMs } = this.#config
    const isDue = this.#retryMs === 0 && (fsync === 'always' || this.#waiting.bytes >= BATCH_BYTES)
    if (isDue) void this.flush()
    else if (this.#callOffWrite === null) {
      this.#callOffWrite = this.#options.after(this.#retryMs === 0 ? exportIntervalMs : this.#retryMs, () => {
        this.#callOffWrite = null
        void this.flush()
      })
    }
  }

  #write(): Promise<void> {
    return this.#writing ?? this.#inTurn(() => this.#writeAll())
  }

  /** What touches the file does so after all that is under way, and nothing else does meanwhile. */
  #inTurn(task: () => Promise<void>): Promise<void> {
    const before = this.#writing
    const turn = (before === null ? task() : before.then(task)).finally(() => {
      // Another may have got in line behind this one.
      if (this.#writing !== turn) return
      this.#writing = null
      if (!this.#isClosed) this.#writeSoon()
    })
    this.#writing = turn
    return turn
  }

  async #writeAll(): Promise<void> {
    try {
      while (!this.#waiting.isEmpty) {
        const batch = this.#waiting.first(Math.min(BATCH_BYTES, this.#config.rotateBytes))
        await this.#writeBatch(batch)
        this.#exported += batch.lines.length
        this.#waiting.remove(batch, null)
        this.#succeeded()
      }
    } catch (cause) {
      this.#failed(cause)
    }
  }

  async #writeBatch({ lines, views }: Batch): Promise<void> {
    const { rotateBytes, fsync } = this.#config
    await this.#file.ensureOpen()
    const encoded = encodeLines(lines)
    if (!this.#file.hasRoom(encoded.bytes, rotateBytes)) await this.#makeRoom()
    if (this.#viewsBeside !== this.#file.generation) this.#views.forget()
    this.#viewsBeside = this.#file.generation
    // Before the records that name them.
    await this.#views.put(views)
    await this.#file.append(encoded, fsync !== 'never')
  }

  /** A file that can't be put aside goes on growing: better a large one than none. */
  async #makeRoom(): Promise<void> {
    const nowMs = this.#options.now()
    if (nowMs < this.#rotateAgainAtMs) return
    try {
      await this.#file.rotate()
      this.#rotateAgainAtMs = 0
    } catch (cause) {
      this.#rotateAgainAtMs = nowMs + MAX_RETRY_MS
      this.#failed(cause)
    }
    await this.#file.ensureOpen()
    await this.#retention.apply()
  }

  #keepTidy(): void {
    this.#callOffRetention()
    if (this.#isClosed || !this.#retention.isWanted) return
    this.#callOffRetention = this.#options.after(RETENTION_MS, () => {
      void this.#inTurn(() => this.#tidy().catch((cause: unknown) => this.#failed(cause))).then(() => this.#keepTidy())
    })
  }

  /** Also puts a file aside that is too old to grow, or its records would outlive the retention. */
  async #tidy(): Promise<void> {
    if (!this.#retention.isWanted) return
    if (this.#file.bytes > 0 && this.#retention.isTooOldToGrow(await this.#file.index())) await this.#file.rotate()
    await this.#retention.apply()
  }

  #succeeded(): void {
    this.#retryMs = 0
    if (this.#rotateAgainAtMs === 0) this.#health.succeeded()
  }

  #failed(cause: unknown): void {
    this.#retryMs = Math.min(MAX_RETRY_MS, Math.max(FIRST_RETRY_MS, this.#retryMs * 2))
    this.#health.failed(cause instanceof Error ? cause.message : String(cause))
  }

  #atMost(limitMs: number, task: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.#options.after(limitMs, resolve)
      void task.finally(() => {
        callOff()
        resolve()
      })
    })
  }
}
