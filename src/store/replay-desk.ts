// The way of records into the store that the configuration names. A request only leaves its record here: what is written
// is written after its answer, on its time, and a store that fails or hangs costs records, which are counted, and nothing
// else. On workerd nobody waits for a promise that another request made.

import { namespaceOf, type ReplayRecord } from '../capture/replay-record.ts'
import type { ReplayStoreConfig, RouterReplayConfig } from '../config/config.ts'
import { type DecisionLogChange, LogHealth } from './log-health.ts'
import { lengthOf } from './replay-page.ts'
import type { ReplayKeeping, ReplayPage, ReplayQuery, ReplayStore } from './replay-store.ts'

export interface ReplayDeskOptions {
  open(config: ReplayStoreConfig): ReplayStore
  now(): number
  /** Calls `task` once after `delayMs`; the function returned calls it off. */
  after(delayMs: number, task: () => void): () => void
  /** Told when writing begins to fail, when records begin to be lost, and when all is well again. */
  onChange(change: DecisionLogChange): void
}

export interface ReplayStatus {
  readonly backend: string
  /** Records that were written since this process or isolate began. */
  readonly stored: number
  readonly waiting: number
  readonly lost: number
  /** Why nothing can be written at the moment; null when all is well. */
  readonly failing: string | null
}

/** A store that has not answered by then is taken for one that does not. */
const WRITE_TIMEOUT_MS = 5_000

/** How long records gather under `async_writes`. */
const GATHER_MS = 200
const MAX_GATHERED = 100

/** Whoever was to write what has gathered is gone when that is older. */
const GATHERER_GONE_MS = 5_000

/** What may wait at most; memory is for requests. */
const MAX_WAITING = 2_000
const MAX_WAITING_LENGTH = 16 * 1024 * 1024

interface Entry {
  readonly record: ReplayRecord
  readonly keeping: ReplayKeeping
}

interface OpenStore {
  readonly key: string
  readonly store: ReplayStore
}

export class ReplayDesk {
  readonly #options: ReplayDeskOptions
  readonly #health: LogHealth
  #open: OpenStore | null = null
  #gathered: Entry[] = []
  #gatheredSinceMs = 0
  #waiting = 0
  #waitingLength = 0
  #stored = 0
  readonly #writing = new Set<Promise<void>>()

  constructor(options: ReplayDeskOptions) {
    this.#options = options
    this.#health = new LogHealth({ waiting: () => this.#waiting, onChange: options.onChange })
  }

  /** From now on records go where this configuration says. */
  use({ isEnabled, store }: RouterReplayConfig): void {
    const key = isEnabled ? JSON.stringify(store) : null
    if (key === (this.#open?.key ?? null)) return
    // What is being written to the earlier one has time to end.
    if (this.#open !== null) this.#closeLater(this.#open.store)
    this.#open = key === null ? null : { key, store: this.#options.open(store) }
  }

  /** Never throws, and never waits. `waitUntil` keeps the runtime alive until the record is written. */
  keep(
    record: ReplayRecord,
    { maxRecords, ttlMs, isAsync }: RouterReplayConfig,
    waitUntil: (task: Promise<unknown>) => void,
  ): void {
    if (this.#open === null) return
    const length = lengthOf(record)
    if (this.#waiting >= MAX_WAITING || this.#waitingLength + length > MAX_WAITING_LENGTH) {
      this.#health.lose(1, 'its store is too slow')
      return
    }
    this.#waiting += 1
    this.#waitingLength += length
    const entry: Entry = { record, keeping: { maxRecords, ttlMs } }
    const written = isAsync ? this.#gather(entry) : this.#write([entry])
    if (written === null) return
    this.#writing.add(written)
    waitUntil(written.finally(() => this.#writing.delete(written)))
  }

  /** Null when Router Replay is switched off. Rejects when the store can't be read. */
  async list(query: ReplayQuery): Promise<ReplayPage | null> {
    return this.#open === null ? null : this.#inTime(this.#open.store.list(query))
  }

  async find(id: string): Promise<ReplayRecord | null> {
    return this.#open === null ? null : this.#inTime(this.#open.store.find(id))
  }

  get isOpen(): boolean {
    return this.#open !== null
  }

  /** Null when Router Replay is switched off. */
  status(): ReplayStatus | null {
    if (this.#open === null) return null
    const { backend } = this.#open.store
    const { lost, failing } = this.#health
    return { backend, stored: this.#stored, waiting: this.#waiting, lost, failing }
  }

  /** Writes what is waiting, as far as it can be written in time. */
  async close(): Promise<void> {
    await Promise.all([this.#write(this.#takeGathered()), ...this.#writing])
    await this.#open?.store.close().catch(() => {}) // what it held has been written, or was counted as lost
    this.#open = null
  }

  /** Null when another request writes it. */
  #gather(entry: Entry): Promise<void> | null {
    const nowMs = this.#options.now()
    const isFirst = this.#gathered.length === 0 || nowMs - this.#gatheredSinceMs > GATHERER_GONE_MS
    this.#gathered.push(entry)
    if (this.#gathered.length >= MAX_GATHERED) return this.#write(this.#takeGathered())
    if (!isFirst) return null
    this.#gatheredSinceMs = nowMs
    return this.#writeGatheredLater()
  }

  async #writeGatheredLater(): Promise<void> {
    await new Promise<void>((resolve) => this.#options.after(GATHER_MS, resolve))
    await this.#write(this.#takeGathered())
  }

  #takeGathered(): readonly Entry[] {
    const taken = this.#gathered
    this.#gathered = []
    return taken
  }

  /** Never rejects. */
  async #write(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return
    await Promise.all(groupsOf(entries).map((group) => this.#writeGroup(group)))
  }

  async #writeGroup(group: readonly Entry[]): Promise<void> {
    const records = group.map(({ record }) => record)
    const failure = await this.#tryToPut(group)
    this.#waiting -= records.length
    this.#waitingLength -= records.reduce((sum, record) => sum + lengthOf(record), 0)
    if (failure === null) return this.#health.succeeded()
    this.#health.failed(failure)
    this.#health.lose(records.length, failure)
  }

  /** Why the records were not kept; null when they were, or nobody wants them any more. */
  async #tryToPut([first, ...others]: readonly Entry[]): Promise<string | null> {
    if (first === undefined || this.#open === null) return null
    const records = [first, ...others].map(({ record }) => record)
    try {
      await this.#inTime(this.#open.store.put(namespaceOf(first.record), records, first.keeping))
      this.#stored += records.length
      return null
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  async #inTime<Result>(work: Promise<Result>): Promise<Result> {
    let callOff = () => {}
    const late = new Promise<never>((_, reject) => {
      const give = () => reject(new Error(`the store did not answer within ${WRITE_TIMEOUT_MS / 1000} seconds`))
      callOff = this.#options.after(WRITE_TIMEOUT_MS, give)
    })
    try {
      return await Promise.race([work, late])
    } finally {
      callOff()
    }
  }

  #closeLater(store: ReplayStore): void {
    this.#options.after(2 * WRITE_TIMEOUT_MS, () => void store.close().catch(() => {})) // nothing more goes there
  }
}

/** Those that are kept alike, and in the same namespace. */
function groupsOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const groups = new Map<string, Entry[]>()
  for (const entry of entries) {
    const key = JSON.stringify([namespaceOf(entry.record), entry.keeping])
    const group = groups.get(key) ?? []
    groups.set(key, group)
    group.push(entry)
  }
  return [...groups.values()]
}
