// What isolates have counted, added up: the contract between them and whoever keeps the sum. It knows nothing of metrics:
// a series is a row of numbers under two names, and rows are added number by number.

/** Rows by metric, then by the values of its labels. A count is a row of one; a distribution's has its buckets and its sum. */
export type Counts = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>

/** Levels by metric, then by the values of its labels: the last word counts. */
export type Levels = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface CountReport {
  /** Random name of the isolate. */
  readonly sender: string
  /** What was counted since the batch before; null when nothing was. */
  readonly batch: CountBatch | null
  /** How things are; null unless they were asked for. */
  readonly levels: Levels | null
  /** Whether the answer is to hold all that was ever counted. */
  readonly wantsAll: boolean
  /** Whether its configuration sends metrics to a collector. */
  readonly isPushed: boolean
}

/** It may be delivered more than once, and counts once. */
export interface CountBatch {
  /** Rises by one a batch of a sender. */
  readonly seq: number
  readonly counts: Counts
  /** What every isolate hears of, and is counted once. */
  readonly events: readonly FleetEvent[]
}

/** One more of a count. */
export interface FleetEvent {
  /** The same for all who hear of it. */
  readonly id: string
  readonly metric: string
  readonly key: string
}

export interface CountReply {
  /** Whether levels are wanted, to be sent to a collector with the counts. */
  readonly wantsLevels: boolean
  /** Null unless it was asked for. */
  readonly all: Counts | null
}

/** Where isolates report to. */
export interface FleetCounts {
  report(report: CountReport): Promise<CountReply>
}

/** Most series of one metric. Labels are bounded before they come here; this is for what slips through, and what has left. */
export const MAX_SERIES = 4_096

/** Those that go, longest untouched first, where there is no room for another. */
const SERIES_DROPPED = MAX_SERIES / 4

/** One of the rows of a table. */
export interface CountSeries {
  /** To be added to in place. */
  readonly row: number[]
  touched: number
}

/** Counts that grow. */
export class CountTable {
  readonly #metrics = new Map<string, Map<string, CountSeries>>()
  #touches = 0
  #epoch = 0

  /** Changes when series that were handed out may be part of the table no longer. */
  get epoch(): number {
    return this.#epoch
  }

  /** The row of a series, to be added to in place; one of `width` zeros where there was none. */
  row(metric: string, key: string, width: number): number[] {
    return this.series(metric, key, width).row
  }

  /** The same with what `touch` wants of whoever keeps it, which is for one epoch. */
  series(metric: string, key: string, width: number): CountSeries {
    let all = this.#metrics.get(metric)
    if (all === undefined) this.#metrics.set(metric, (all = new Map()))
    let series = all.get(key)
    if (series === undefined) {
      if (all.size >= MAX_SERIES) {
        dropOldest(all)
        this.#epoch += 1
      }
      series = { row: Array.from({ length: width }, () => 0), touched: 0 }
      all.set(key, series)
    }
    this.touch(series)
    return series
  }

  /** Says that it is in use: what has not been for longest goes first. */
  touch(series: CountSeries): void {
    series.touched = this.#touches += 1
  }

  /** Adds what another table has. Rows of another width are of another version, and take the place of those here. */
  add(counts: Counts): void {
    for (const [metric, rows] of Object.entries(counts)) {
      for (const [key, added] of Object.entries(rows)) {
        const row = this.row(metric, key, added.length)
        if (row.length !== added.length) row.splice(0, row.length, ...added)
        else for (const [at, count] of added.entries()) row[at] = (row[at] ?? 0) + count
      }
    }
  }

  /** Series of one metric in the order they began. */
  *of(metric: string): Iterable<readonly [key: string, row: readonly number[]]> {
    for (const [key, { row }] of this.#metrics.get(metric) ?? []) yield [key, row]
  }

  metrics(): Iterable<string> {
    return this.#metrics.keys()
  }

  isEmpty(): boolean {
    return this.#metrics.size === 0
  }

  /** Everything, as data. */
  toCounts(): Counts {
    return Object.fromEntries(Array.from(this.metrics(), (metric) => [metric, this.toRows(metric)]))
  }

  toRows(metric: string): Readonly<Record<string, readonly number[]>> {
    return Object.fromEntries(this.of(metric))
  }

  /** The same, and begins anew. */
  take(): Counts {
    const counts = this.toCounts()
    this.#metrics.clear()
    this.#epoch += 1
    return counts
  }
}

function dropOldest(all: Map<string, CountSeries>): void {
  const oldest = [...all].sort(([, one], [, other]) => one.touched - other.touched).slice(0, SERIES_DROPPED)
  for (const [key] of oldest) all.delete(key)
}

/** How long a sender or an event is remembered: longer than anybody may try to tell of it. */
const REMEMBERED_MS = 600_000

/** The sum over all senders. */
export class CountBook {
  readonly table = new CountTable()
  readonly #seqs = new RecentMap<number>()
  readonly #events = new RecentMap<true>()

  /** The metrics that have grown; none for a batch that was counted before. */
  note({ sender, batch }: Pick<CountReport, 'sender' | 'batch'>, nowMs: number): readonly string[] {
    if (batch === null || batch.seq <= (this.#seqs.get(sender) ?? 0)) return []
    this.#seqs.set(sender, batch.seq, nowMs)
    this.table.add(batch.counts)
    const events = batch.events.filter(({ id }) => this.#events.get(id) === undefined)
    for (const { id, metric, key } of events) {
      this.#events.set(id, true, nowMs)
      this.table.add({ [metric]: { [key]: [1] } })
    }
    return [...Object.keys(batch.counts), ...events.map(({ metric }) => metric)]
  }
}

/** What was set lately. */
class RecentMap<Value> {
  /** In the order in which they were last set. */
  readonly #entries = new Map<string, { readonly value: Value; readonly atMs: number }>()

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value
  }

  set(key: string, value: Value, nowMs: number): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, atMs: nowMs })
    for (const [oldest, { atMs }] of this.#entries) {
      if (nowMs - atMs <= REMEMBERED_MS) return
      this.#entries.delete(oldest)
    }
  }
}
