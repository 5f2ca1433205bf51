// The Durable Object `DecisionLog`: keeps the decision records of some isolates, and by alarm writes them to the bucket. What
// it has acknowledged is on disk until the bucket has it.

import { DurableObject } from 'cloudflare:workers'
import { type OpenRecord, toOrphanRecord } from '../record/open-record.ts'
import { toStoredRecord } from '../record/read-record.ts'
import type { ViewDocument } from '../record/view-document.ts'
import { isInTime, matches } from '../store/decision-filters.ts'
import type {
  DecisionLogStatus,
  DecisionPage,
  DecisionQuery,
  Position,
  ReadableRecord,
  TimeRange,
} from '../store/decision-log.ts'
import { mergePages } from '../store/decision-pages.ts'
import { listed } from '../store/decision-ring.ts'
import type {
  DecisionShard,
  ShardSettings,
  ShardSurvey,
  UnexportedLines,
  UnexportedPart,
} from '../store/decision-shard.ts'
import { isSampled } from '../store/export-sample.ts'
import { keepOnly, parseFacets, type RecordBatch, toBatches, toBatchLine } from '../store/record-batch.ts'
import { RecentIds } from '../store/recent-ids.ts'
import { parseView } from '../store/view-files.ts'
import { toEntry } from '../observe/log/entry.ts'
import type { LogEventName } from '../log-events.ts'
import { consoleLog } from './cloudflare-console.ts'
import type { RouterEnv } from './cloudflare-env.ts'
import { forgetOld, RETENTION_MS, viewKey } from './cloudflare-decision-retention.ts'
import { DecisionIndex, type FoundRecord } from './cloudflare-decision-index.ts'
import { OpenRequests } from './cloudflare-decision-open.ts'
import { DecisionSegments, SEGMENT_BYTES } from './cloudflare-decision-segments.ts'
import { DecisionTables } from './cloudflare-decision-tables.ts'

/** What may wait for a bucket that does not take it. Beyond it isolates are refused, and count what they lose. */
const MAX_WAITING_BYTES = 256 * 1024 * 1024

/** A request that nobody has heard of for this long has ended unseen; isolates tell of theirs every 20 seconds. */
const ORPHAN_MS = 90_000

/** Segments that one alarm writes before it sets the next. */
const SEGMENTS_AT_ONCE = 8

/** Records that are looked at for one page, and lines that are fetched from the bucket. */
const MAX_LOOKED_AT = 20_000
const MAX_FETCHED = 200

const UNEXPORTED_RECORDS = 500

/** Lines of one answer, all in all: a call carries 32 MiB, and a reader holds the answers of all objects. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 300_000

const MAX_VIEW_BYTES = 1_500_000

/** An alarm that is overdue by this much was lost, with too many failures. */
const LOST_MS = 120_000

const DEFAULTS: ShardSettings = {
  prefix: '',
  exportIntervalMs: 10_000,
  retentionMs: null,
  retentionBytes: null,
  exportSample: 1,
}

export class DecisionLog extends DurableObject<RouterEnv> implements DecisionShard {
  readonly #tables = new DecisionTables(this.ctx.storage.sql)
  readonly #index = new DecisionIndex(this.#tables)
  readonly #open = new OpenRequests(this.ctx.storage.sql)
  readonly #recent = recentIdsOf(this.#tables)
  readonly #segments: DecisionSegments
  #settings: ShardSettings
  #waitingBytes = this.#tables.waiting().bytes
  #alarmAtMs: number | null = null
  #failures = 0
  #failing: string | null = null
  #tidiedAtMs = 0
  /** The bucket has got more since. */
  #isUntidy = false

  constructor(state: DurableObjectState, env: RouterEnv) {
    super(state, env)
    const shard = state.id.name?.split('/').at(-1) ?? state.id.toString().slice(0, 16)
    this.#segments = new DecisionSegments(this.#tables, this.#bucket(), shard)
    const kept = this.#tables.setting('export')
    // Written below, by this class.
    this.#settings = kept === null ? DEFAULTS : (JSON.parse(kept) as ShardSettings)
  }

  async append(batches: readonly RecordBatch[], settings: ShardSettings): Promise<void> {
    if (this.#waitingBytes > MAX_WAITING_BYTES) throw new Error(`no room: ${this.#failing ?? 'the bucket is too slow'}`)
    this.#adopt(settings)
    // Without an `await` in between all of them reach the disk together, or none does.
    for (const batch of batches) this.#take(batch)
    await this.#arm(this.#waitingBytes >= SEGMENT_BYTES && this.#failures === 0 ? 0 : settings.exportIntervalMs)
  }

  async noteOpen(records: readonly OpenRecord[], settings: ShardSettings): Promise<void> {
    this.#adopt(settings)
    const nowMs = Date.now()
    const isOver = (id: string) => this.#recent.has(id) || this.#open.isGivenUp(id)
    for (const record of records) if (!isOver(record.decision_id)) this.#open.note(record, nowMs)
    if (this.#open.count > 0) await this.#arm(ORPHAN_MS)
  }

  async putView(hash: string, text: string, settings: ShardSettings): Promise<void> {
    // A row holds 2 MB. Of a fleet so large the records alone have to do.
    if (new TextEncoder().encode(text).length > MAX_VIEW_BYTES) return
    this.#adopt(settings)
    this.#tables.sql.exec(
      'INSERT INTO views VALUES (?, ?, ?, 0) ON CONFLICT (hash) DO UPDATE SET used_ms = excluded.used_ms',
      hash,
      text,
      Date.now(),
    )
    await this.#arm(settings.exportIntervalMs)
  }

  async query(query: DecisionQuery): Promise<DecisionPage> {
    const { filters, after, limit } = query
    const range = { sinceMs: filters.sinceMs ?? 0, untilMs: filters.untilMs ?? Number.MAX_SAFE_INTEGER }
    const found: FoundRecord[] = []
    let end: Position | null = null
    let [looked, fetched, bytes] = [0, 0, 0]
    const isFull = () =>
      found.length >= limit || looked >= MAX_LOOKED_AT || fetched >= MAX_FETCHED || bytes >= MAX_ANSWER_BYTES
    for (const record of this.#index.newestFirst(after, range)) {
      if (isFull()) break
      end = { timeMs: record.timeMs, id: record.id }
      looked += 1
      if (!matches(filters, record.facets)) continue
      found.push(record)
      bytes += record.bytes
      if (record.block.kind === 'segment') fetched += 1
    }
    const closed = { records: (await this.#segments.linesOf(found)).flatMap(toRecord), end: isFull() ? end : null }
    return mergePages([closed, { records: listed(this.#open.list(), query), end: null }], limit)
  }

  async find(id: string): Promise<ReadableRecord | null> {
    const found = this.#index.find(id)
    const open = this.#open.list().find((record) => record.decision_id === id || record.request_id === id) ?? null
    if (found === null || (open !== null && found.id !== id)) return open
    return (await this.#segments.linesOf([found])).flatMap(toRecord)[0] ?? null
  }

  async findView(hash: string): Promise<ViewDocument | null> {
    const [row] = this.#tables.sql.exec<{ document: string }>('SELECT document FROM views WHERE hash = ?', hash)
    return row === undefined ? null : parseView(row.document, hash)
  }

  async survey(range: TimeRange): Promise<ShardSurvey> {
    return {
      segments: this.#tables.storedSegments(range).map(({ key, first_ms: firstMs }) => ({ key, firstMs })),
      exportedThrough: this.#bucket() === null ? 0 : this.#tables.progress.settled,
      takenThrough: this.#tables.progress.taken,
    }
  }

  async unexported({ range, after, through }: UnexportedPart): Promise<UnexportedLines> {
    const records = answerableOf(this.#index.between(after, through, UNEXPORTED_RECORDS))
    const wanted = records.filter(
      ({ timeMs, id }) => isInTime(range, timeMs) && (this.#bucket() === null || this.#isExported(id)),
    )
    return { lines: await this.#segments.linesOf(wanted), after: records.at(-1)?.seq ?? through }
  }

  async status(): Promise<DecisionLogStatus> {
    const { lines, sinceMs } = this.#tables.waiting()
    const hasBucket = this.#bucket() !== null
    return {
      kind: 'durable_object',
      stored: this.#tables.progress.taken,
      exported: this.#tables.progress.exported,
      waiting: hasBucket ? lines : 0,
      lagMs: hasBucket && sinceMs !== null ? Math.max(0, Date.now() - sinceMs) : 0,
      lost: 0,
      failing: this.#failing,
    }
  }

  override async alarm(): Promise<void> {
    this.#alarmAtMs = null
    let hasMore = false
    try {
      this.#closeOrphans()
      hasMore = await this.#export()
      this.#succeeded()
    } catch (cause) {
      this.#failed(cause)
    }
    const waiting = this.#tables.waiting()
    this.#waitingBytes = waiting.bytes
    if (this.#failures > 0) await this.#arm(Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1)))
    else if (hasMore) await this.#arm(0)
    else if (waiting.lines > 0) await this.#arm(this.#settings.exportIntervalMs)
    else if (this.#open.count > 0) await this.#arm(ORPHAN_MS)
    else if (this.#willOutgrow()) await this.#arm(RETENTION_MS)
  }

  /** What is there ages by itself; too much it becomes only by what has come. */
  #willOutgrow(): boolean {
    const { retentionMs, retentionBytes } = this.#settings
    return (retentionMs !== null && this.#tables.progress.taken > 0) || (retentionBytes !== null && this.#isUntidy)
  }

  #take(batch: RecordBatch): void {
    const fresh = this.#withoutKnown(batch)
    if (fresh === null) return
    this.#keep(fresh)
    this.#open.forget(fresh.ids)
  }

  #keep(batch: RecordBatch): void {
    this.#tables.insert(batch)
    this.#recent.add(batch.ids, batch.lastMs)
    this.#waitingBytes += batch.content.length
  }

  /** Null when all have come before. */
  #withoutKnown(batch: RecordBatch): RecordBatch | null {
    const { ids, firstMs } = batch
    const mayBeKnown = (id: string) => this.#recent.has(id) || this.#open.isGivenUp(id)
    const isFresh = !this.#recent.mayHaveForgotten(firstMs) && !ids.some(mayBeKnown) && new Set(ids).size === ids.length
    if (isFresh) return batch
    const seen = new Set<string>()
    return keepOnly(batch, ([id, timeMs]) => {
      const isNew = !seen.has(id) && !this.#isKnown(id, timeMs)
      seen.add(id)
      return isNew
    })
  }

  #isKnown(id: string, timeMs: number): boolean {
    // What is known of a request that was given up is replaced by the truth, if it can be.
    if (this.#open.isGivenUp(id)) return !this.#tables.takeOut(id)
    return this.#recent.has(id) || (this.#recent.mayHaveForgotten(timeMs) && this.#tables.isKept(id, timeMs))
  }

  #isExported(decisionId: string): boolean {
    return isSampled(decisionId, this.#settings.exportSample)
  }

  /** Returns whether there is more to do at once. */
  async #export(): Promise<boolean> {
    let hasMore = true
    for (let count = 0; hasMore && count < SEGMENTS_AT_ONCE; count += 1) {
      hasMore = await this.#segments.writeNext(this.#settings)
      this.#isUntidy ||= hasMore
    }
    await this.#exportViews()
    this.#segments.trim()
    if (Date.now() - this.#tidiedAtMs < RETENTION_MS) return hasMore
    this.#open.tidy(Date.now())
    const hasOld = await forgetOld(this.#tables, this.#bucket(), this.#settings, Date.now())
    if (!hasOld) {
      this.#tidiedAtMs = Date.now()
      this.#isUntidy = false
    }
    return hasMore || hasOld
  }

  async #exportViews(): Promise<void> {
    const bucket = this.#bucket()
    if (bucket === null) return
    const { sql } = this.#tables
    const views = sql.exec<{ hash: string; document: string }>('SELECT hash, document FROM views WHERE is_stored = 0')
    for (const { hash, document } of views.toArray()) {
      // A document is what its hash says: one that is there already is the same.
      await bucket.put(viewKey(this.#settings.prefix, hash), `${document}\n`, {
        onlyIf: { etagDoesNotMatch: '*' },
        httpMetadata: { contentType: 'application/json' },
      })
      sql.exec('UPDATE views SET is_stored = 1 WHERE hash = ?', hash)
    }
  }

  /** Their isolates are gone: nobody else will say how these ended. */
  #closeOrphans(): void {
    const nowMs = Date.now()
    const lost = this.#open.unheardSince(nowMs - ORPHAN_MS)
    for (const batch of toBatches(lost.map((open) => toBatchLine(toOrphanRecord(open, nowMs))))) {
      this.#keep(batch)
      this.#open.giveUp(batch.ids, nowMs)
    }
  }

  /** An alarm of the next life of this object needs them too. */
  #adopt(settings: ShardSettings): void {
    const text = JSON.stringify(settings)
    if (text === JSON.stringify(this.#settings)) return
    this.#settings = settings
    this.#tables.setSetting('export', text)
  }

  #bucket(): R2Bucket | null {
    return this.env.DECISIONS ?? null
  }

  #succeeded(): void {
    this.#failures = 0
    if (this.#failing === null) return
    this.#tell('info', 'decision_log_recovered', this.#failing)
    this.#failing = null
  }

  #failed(cause: unknown): void {
    this.#failures += 1
    const isNew = this.#failing === null
    this.#failing = `the bucket can't be written: ${cause instanceof Error ? cause.message : String(cause)}`
    if (isNew) this.#tell('error', 'decision_log_failing', this.#failing)
  }

  #tell(level: 'info' | 'error', event: LogEventName, reason: string): void {
    const { lines } = this.#tables.waiting()
    consoleLog(this.env)(toEntry(Date.now(), level, event, { object: this.ctx.id.name, reason, waiting: lines }))
  }

  /** An alarm that is due sooner stays. */
  async #arm(delayMs: number): Promise<void> {
    const nowMs = Date.now()
    const atMs = nowMs + Math.max(1, delayMs)
    this.#alarmAtMs ??= await this.ctx.storage.getAlarm()
    const isArmed = this.#alarmAtMs !== null && this.#alarmAtMs > nowMs - LOST_MS
    if (isArmed && this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return
    this.#alarmAtMs = atMs
    await this.ctx.storage.setAlarm(atMs)
  }
}

/** The first of them, as many as one answer has room for. */
function answerableOf(records: readonly FoundRecord[]): readonly FoundRecord[] {
  let bytes = 0
  const end = records.findIndex((record, at) => {
    bytes += record.bytes
    return at === UNEXPORTED_RECORDS || (at > 0 && bytes > MAX_ANSWER_BYTES)
  })
  return end === -1 ? records : records.slice(0, end)
}

/** Of what is on disk with its lines; of older records, whether they came is known by their time. */
function recentIdsOf(tables: DecisionTables): RecentIds {
  const { sql } = tables
  const [newest] = sql.exec<{ last_ms: number }>(
    'SELECT last_ms FROM segments WHERE first_seq < ? ORDER BY last_ms DESC LIMIT 1',
    tables.firstInBatch(),
  )
  const recent = new RecentIds(newest?.last_ms ?? Number.NEGATIVE_INFINITY)
  for (const { facets, last_ms: lastMs } of tables.batches(0, Number.MAX_SAFE_INTEGER)) {
    recent.add(
      parseFacets(facets).map(([id]) => id),
      lastMs,
    )
  }
  return recent
}

function toRecord(line: string) {
  const read = toStoredRecord(JSON.parse(line))
  return read.kind === 'record' ? [read.record] : []
}
