// Hands an isolate's records over to the objects that keep them: all that it has to one object, the view documents that they
// name before them.

import type { OpenRecord } from '../record/open-record.ts'
import type { ViewDocument } from '../record/view-document.ts'
import { type DecisionShard, type ShardSettings, viewShardOf } from './decision-shard.ts'
import type { IsolatePlace } from './isolate-place.ts'
import { ObjectChoice } from './object-choice.ts'
import { toBatches } from './record-batch.ts'
import type { SendOutcome, SentLine } from './send-queue.ts'

export interface ShardSenderOptions {
  shard(number: number): DecisionShard
  /** Where among all objects this isolate stands. */
  place(): IsolatePlace
  /** Of one shard. */
  settings(): ShardSettings
  now(): number
}

/** A document is handed over again after this long, so that its shard sees that it is in use. */
const VIEW_AGAIN_MS = 3_600_000

/** Documents of so many fleets are known to have been handed over. */
const MAX_VIEWS = 100

export class ShardSender {
  readonly #options: ShardSenderOptions
  readonly #choice: ObjectChoice
  /** When each view document was handed over. */
  readonly #viewsSentAtMs = new Map<string, number>()

  constructor(options: ShardSenderOptions) {
    this.#options = options
    this.#choice = new ObjectChoice(options.place)
  }

  /** `onTaken` hears of each object's part as that is on disk. */
  async send(lines: readonly SentLine[], onTaken: (lines: readonly SentLine[]) => void): Promise<SendOutcome> {
    const share = this.#options.settings()
    const failures: unknown[] = []
    const due = this.#dueViews(lines)
    const isThere = ({ view_hash: hash }: ViewDocument) => this.#viewsSentAtMs.has(hash)
    const unsent = due.filter((view) => !isThere(view))
    // An object that has a document is told that it is in use, and no record waits for that.
    const told = this.#sendViews(due.filter(isThere), share, failures)
    const missing = await this.#sendViews(unsent, share, failures)
    const isHeldBack = ({ view }: SentLine) => view !== null && missing.has(view.view_hash)
    const refused = new Set(missing.size === 0 ? [] : lines.filter(isHeldBack))
    const sent = refused.size === 0 ? lines : lines.filter((line) => !refused.has(line))
    const nowMs = this.#options.now()
    await Promise.all([
      told,
      ...Array.from(this.#choice.group(sent, nowMs), async ([number, own]) => {
        this.#choice.asked(number, own, nowMs)
        try {
          await this.#options.shard(number).append(toBatches(own), share)
          this.#choice.taken(number, own)
          onTaken(own)
        } catch (cause) {
          failures.push(cause)
          this.#choice.failed(number)
          for (const line of own) refused.add(line)
        }
      }),
    ])
    return { refused, failure: failures.length === 0 ? null : messageOf(failures[0]) }
  }

  /** The record of a request goes to the object that was told of it. */
  async noteOpen(records: readonly OpenRecord[]): Promise<void> {
    const share = this.#options.settings()
    const named = records.map((record) => ({ id: record.decision_id, record }))
    await Promise.all(
      Array.from(this.#choice.group(named, this.#options.now()), ([number, own]) => {
        this.#choice.bind(number, own)
        const told = own.map(({ record }) => record)
        return this.#options.shard(number).noteOpen(told, share)
      }),
    )
  }

  /** Documents that these lines name and that have not been handed over lately. */
  #dueViews(lines: readonly SentLine[]): readonly ViewDocument[] {
    const nowMs = this.#options.now()
    const views = new Map(lines.flatMap(({ view }) => (view === null ? [] : [[view.view_hash, view] as const])))
    return [...views.values()].filter(({ view_hash: hash }) => {
      const sentAtMs = this.#viewsSentAtMs.get(hash)
      return sentAtMs === undefined || nowMs - sentAtMs >= VIEW_AGAIN_MS
    })
  }

  /** Returns the hashes of those that could not be handed over. */
  async #sendViews(
    views: readonly ViewDocument[],
    share: ShardSettings,
    failures: unknown[],
  ): Promise<ReadonlySet<string>> {
    const nowMs = this.#options.now()
    const missing = new Set<string>()
    await Promise.all(
      views.map(async (view) => {
        const { view_hash: hash } = view
        try {
          await this.#options.shard(viewShardOf(hash)).putView(hash, JSON.stringify(view), share)
          if (this.#viewsSentAtMs.size >= MAX_VIEWS) this.#viewsSentAtMs.clear()
          this.#viewsSentAtMs.set(hash, nowMs)
        } catch (cause) {
          failures.push(cause)
          missing.add(hash)
        }
      }),
    )
    return missing
  }
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
