// DecisionLogStore over the Durable Objects of class `DecisionLog`, as an isolate sees it: an isolate hands its records to
// one of them, readers ask all and merge.

import type { OpenRecord } from '../record/open-record.ts'
import type { DecisionRecord } from '../record/schema.ts'
import type { ViewDocument } from '../record/view-document.ts'
import type {
  DecisionCounts,
  DecisionLogStatus,
  DecisionLogStore,
  DecisionPage,
  DecisionQuery,
  TimeRange,
} from './decision-log.ts'
import { mergePages } from './decision-pages.ts'
import {
  DECISION_SHARDS,
  type DecisionShard,
  decisionShardName,
  type ShardSettings,
  type ShardSurvey,
  toShare,
  viewShardOf,
} from './decision-shard.ts'
import { exportSegment } from './exported-segment.ts'
import type { DecisionLogChange } from './log-health.ts'
import type { IsolatePlace } from './isolate-place.ts'
import { toBatchLine } from './record-batch.ts'
import { SendQueue, type SentLine } from './send-queue.ts'
import { messageOf, ShardSender } from './shard-sender.ts'

export interface DurableDecisionsOptions {
  /** The object of a name. Stubs belong to one request, so each call asks anew. */
  namespace(objectName: string): DecisionShard
  readonly pool: string
  /** Of the configuration that runs now; `retentionBytes` for all shards together. */
  settings(): ShardSettings
  /** Where among all objects this isolate stands; the first of eight unless told. */
  place?(): IsolatePlace
  /** A segment of the export as text; null where it is gone. */
  readSegment(key: string): Promise<string | null>
  /** Told when records can't be handed over, when they begin to be lost, and when all is well again. */
  onChange(change: DecisionLogChange): void
  now(): number
  after(delayMs: number, task: () => void): () => void
}

export class DurableDecisions implements DecisionLogStore {
  readonly #options: DurableDecisionsOptions
  readonly #queue: SendQueue
  readonly #sender: ShardSender

  constructor(options: DurableDecisionsOptions) {
    const { now, after, onChange } = options
    this.#options = options
    const sender = new ShardSender({
      shard: (number) => this.#shard(number),
      place: () => this.#place(),
      settings: () => toShare(options.settings(), this.#place().count),
      now,
    })
    this.#sender = sender
    this.#queue = new SendQueue({ now, after, onChange, send: (lines, onTaken) => sender.send(lines, onTaken) })
  }

  append(records: readonly DecisionRecord[], views: readonly ViewDocument[]): Promise<void> | null {
    return this.#queue.add(
      records.map((record): SentLine => {
        const { view_hash: hash } = record
        const view = hash === undefined ? undefined : views.find((document) => document.view_hash === hash)
        return { ...toBatchLine(record), view: view ?? null }
      }),
    )
  }

  readonly noteOpen = (records: readonly OpenRecord[]): Promise<void> => this.#sender.noteOpen(records)

  async query(query: DecisionQuery): Promise<DecisionPage> {
    return mergePages(await Promise.all(this.#shards().map((shard) => shard.query(query))), query.limit)
  }

  async find(id: string) {
    const answers = await Promise.allSettled(this.#shards().map((shard) => shard.find(id)))
    const records = answers.flatMap((answer) => (answer.status === 'fulfilled' ? (answer.value ?? []) : []))
    // Somebody's request may have the id of another's decision.
    const byDecision = records.filter((record) => record.decision_id === id)
    if (byDecision.length > 0) return mergePages([{ records: byDecision, end: null }], 1).records[0] ?? null
    // An object that was not reached may have it, or a newer one of its request.
    const failed = answers.find((answer) => answer.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return mergePages([{ records, end: null }], 1).records[0] ?? null
  }

  findView(hash: string): Promise<ViewDocument | null> {
    return this.#shard(viewShardOf(hash)).findView(hash)
  }

  async *exportRange(range: TimeRange): AsyncIterable<string> {
    const surveys = await Promise.all(this.#shards().map((shard) => shard.survey(range)))
    const segments = surveys.flatMap((survey) => survey.segments)
    for (const { key } of segments.sort((one, other) => one.firstMs - other.firstMs)) {
      const text = await this.#options.readSegment(key)
      const lines = text === null ? '' : exportSegment(text, range)
      if (lines !== '') yield lines
    }
    for (const [shard, survey] of surveys.entries()) yield* this.#unexported(shard, survey, range)
  }

  async status(): Promise<DecisionLogStatus> {
    const own = this.#queue.status()
    const shards = await Promise.all(this.#shards().map((shard) => shard.status().catch(toUnreachable)))
    const sum = (of: (status: DecisionLogStatus) => number) => shards.reduce((total, status) => total + of(status), 0)
    return {
      kind: 'durable_object',
      stored: sum(({ stored }) => stored),
      exported: sum(({ exported }) => exported),
      waiting: sum(({ waiting }) => waiting) + own.waiting,
      lagMs: Math.max(...shards.map(({ lagMs }) => lagMs)),
      lost: sum(({ lost }) => lost) + own.lost,
      failing: shards.find(({ failing }) => failing !== null)?.failing ?? own.failing,
    }
  }

  readonly ownCounts = (): DecisionCounts => {
    const { taken, lost } = this.#queue.status()
    return { stored: taken, lost }
  }

  /** An isolate is not told when it ends; each request sees its own record through. */
  async close(): Promise<void> {}

  async *#unexported(shard: number, survey: ShardSurvey, range: TimeRange): AsyncIterable<string> {
    const through = survey.takenThrough
    for (let after = survey.exportedThrough; after < through;) {
      const part = await this.#shard(shard).unexported({ range, after, through })
      if (part.lines.length > 0) yield `${part.lines.join('\n')}\n`
      if (part.after <= after) return
      after = part.after
    }
  }

  #shard(shard: number): DecisionShard {
    return this.#options.namespace(decisionShardName(this.#options.pool, shard))
  }

  #shards(): readonly DecisionShard[] {
    return Array.from({ length: this.#place().count }, (_, shard) => this.#shard(shard))
  }

  #place(): IsolatePlace {
    return this.#options.place?.() ?? { index: 0, count: DECISION_SHARDS }
  }
}

function toUnreachable(cause: unknown): DecisionLogStatus {
  const failing = `an object of the decision log can't be reached: ${messageOf(cause)}`
  return { kind: 'durable_object', stored: 0, exported: 0, waiting: 0, lagMs: 0, lost: 0, failing }
}
