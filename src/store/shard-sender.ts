// Hands an isolate's records over to the objects that keep them: to each its share in one call, the view documents that
// records name before them.

import { type DecisionShard, decisionShardOf, type ShardSettings } from './decision-shard.ts'
import type { SendOutcome, SentLine } from './send-queue.ts'

export interface ShardSenderOptions {
  shard(number: number): DecisionShard
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
  /** When each view document was handed over. */
  readonly #viewsSentAtMs = new Map<string, number>()

  constructor(options: ShardSenderOptions) {
    this.#options = options
  }

  async send(lines: readonly SentLine[]): Promise<SendOutcome> {
    const share = this.#options.settings()
    const failures: unknown[] = []
    const missing = await this.#sendViews(lines, share, failures)
    const isHeldBack = ({ view }: SentLine) => view !== null && missing.has(view.view_hash)
    const refused = new Set(lines.filter(isHeldBack))
    const byShard = groupByShard(
      lines.filter((line) => !isHeldBack(line)),
      ({ id }) => id,
    )
    await Promise.all(
      Array.from(byShard, async ([number, own]) => {
        try {
          await this.#options.shard(number).append(
            own.map(({ line }) => line),
            share,
          )
        } catch (cause) {
          failures.push(cause)
          for (const line of own) refused.add(line)
        }
      }),
    )
    return { refused, failure: failures.length === 0 ? null : messageOf(failures[0]) }
  }

  /** Returns the hashes of those that could not be handed over. */
  async #sendViews(
    lines: readonly SentLine[],
    share: ShardSettings,
    failures: unknown[],
  ): Promise<ReadonlySet<string>> {
    const nowMs = this.#options.now()
    const views = new Map(lines.flatMap(({ view }) => (view === null ? [] : [[view.view_hash, view] as const])))
    const missing = new Set<string>()
    await Promise.all(
      Array.from(views, async ([hash, view]) => {
        const sentAtMs = this.#viewsSentAtMs.get(hash)
        if (sentAtMs !== undefined && nowMs - sentAtMs < VIEW_AGAIN_MS) return
        try {
          await this.#options.shard(decisionShardOf(hash)).putView(hash, JSON.stringify(view), share)
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

/** What goes to each shard. */
export function groupByShard<Item>(items: readonly Item[], idOf: (item: Item) => string): ReadonlyMap<number, Item[]> {
  const groups = new Map<number, Item[]>()
  for (const item of items) {
    const shard = decisionShardOf(idOf(item))
    const group = groups.get(shard)
    if (group === undefined) groups.set(shard, [item])
    else group.push(item)
  }
  return groups
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
