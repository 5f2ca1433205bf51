// DecisionLogStore over the Durable Objects of class `DecisionLog`, as an isolate sees it: records go to shards by the
// hash of their ids, readers ask every shard and merge. A large fleet has several groups of shards: an isolate keeps to one,
// so that the calls to an object don't grow with the number of isolates.

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
  decisionShardOf,
  type ShardSettings,
  type ShardSurvey,
  toShare,
} from './decision-shard.ts'
import { exportSegment } from './exported-segment.ts'
import type { DecisionLogChange } from './log-health.ts'
import { SendQueue, type SentLine } from './send-queue.ts'
import { type IsolatePlace, ONLY_PLACE } from './isolate-place.ts'
import { groupByShard, messageOf, ShardSender } from './shard-sender.ts'

export interface DurableDecisionsOptions {
  /** The object of a name. Stubs belong to one request, so each call asks anew. */
  namespace(objectName: string): DecisionShard
  readonly pool: string
  /** Of the configuration that runs now; `retentionBytes` for all shards together. */
  settings(): ShardSettings
  /** Which group of shards this isolate keeps to. */
  group?(): IsolatePlace
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

  constructor(options: DurableDecisionsOptions) {
    const { now, after, onChange } = options
    this.#options = options
    const sender = new ShardSender({ shard: (number) => this.#own(number), settings: () => this.#share(), now })
    this.#queue = new SendQueue({ now, after, onChange, send: (lines) => sender.send(lines) })
  }

  append(records: readonly DecisionRecord[], views: readonly ViewDocument[]): Promise<void> | null {
    return this.#queue.add(
      records.map((record): SentLine => {
        const { decision_id: id, view_hash: hash } = record
        const view = hash === undefined ? undefined : views.find((document) => document.view_hash === hash)
        return { id, line: JSON.stringify(record), view: view ?? null }
      }),
    )
  }

  readonly noteOpen = async (records: readonly OpenRecord[]): Promise<void> => {
    const byShard = groupByShard(records, ({ decision_id: id }) => id)
    const share = this.#share()
    await Promise.all(Array.from(byShard, ([shard, own]) => this.#own(shard).noteOpen(own, share)))
  }

  async query(query: DecisionQuery): Promise<DecisionPage> {
    return mergePages(await Promise.all(this.#shards().map((shard) => shard.query(query))), query.limit)
  }

  async find(id: string) {
    const home = decisionShardOf(id)
    const byDecision = await Promise.all(this.#homes(home).map((shard) => shard.find(id)))
    const sought = byDecision.find((record) => record?.decision_id === id) ?? null
    if (sought !== null) return sought
    const others = this.#shards().filter((_, shard) => shard % DECISION_SHARDS !== home)
    const found = [...byDecision, ...(await Promise.all(others.map((shard) => shard.find(id))))]
    const records = found.filter((record) => record !== null)
    return mergePages([{ records, end: null }], 1).records[0] ?? null
  }

  async findView(hash: string): Promise<ViewDocument | null> {
    const found = await Promise.all(this.#homes(decisionShardOf(hash)).map((shard) => shard.findView(hash)))
    return found.find((view) => view !== null) ?? null
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

  /** By its number within the group of this isolate. */
  #own(number: number): DecisionShard {
    return this.#shard(this.#group().index * DECISION_SHARDS + number)
  }

  /** Of every group the one that would have an id. */
  #homes(home: number): readonly DecisionShard[] {
    return this.#shards().filter((_, shard) => shard % DECISION_SHARDS === home)
  }

  #shards(): readonly DecisionShard[] {
    return Array.from({ length: this.#group().count * DECISION_SHARDS }, (_, shard) => this.#shard(shard))
  }

  #group(): IsolatePlace {
    return this.#options.group?.() ?? ONLY_PLACE
  }

  /** Of the settings, what is one shard's. */
  #share(): ShardSettings {
    return toShare(this.#options.settings(), this.#group().count)
  }
}

function toUnreachable(cause: unknown): DecisionLogStatus {
  const failing = `an object of the decision log can't be reached: ${messageOf(cause)}`
  return { kind: 'durable_object', stored: 0, exported: 0, waiting: 0, lagMs: 0, lost: 0, failing }
}
