// Turns by key, counted in Redis: no leader is asked for them, and none of its successors counts anew.

import { withModels } from './every-model.ts'
import type { TicketBlock, WorkerState } from './fleet-store.ts'
import type { RedisLink } from './redis-link.ts'
import { MAX_TICKET_BLOCK, type TurnCount } from './turn-counts.ts'

/** A count that nobody has taken a turn from for this long begins anew. */
const KEPT_MS = 7 * 86_400_000

/** ARGV: how long counts are kept, then a number of turns for each key. */
const TAKE = `
local ends = {}
for at = 1, #KEYS do
  ends[at] = redis.call('INCRBY', KEYS[at], ARGV[at + 1])
  redis.call('PEXPIRE', KEYS[at], ARGV[1])
end
return ends`

export class RedisTurns {
  readonly #link: RedisLink
  readonly #keyPrefix: string

  constructor(link: RedisLink, keyPrefix: string) {
    this.#link = link
    this.#keyPrefix = keyPrefix
  }

  /**
   * Turns for models that exist, and for requests without one: names come from callers without end. None where Redis does
   * not answer: without a block, turns are counted on from the last one.
   */
  async leaseFor(
    wanted: ReadonlyMap<string, number>,
    workers: readonly WorkerState[],
  ): Promise<ReadonlyMap<string, TicketBlock>> {
    const models = new Set(['', ...workers.flatMap((worker) => worker.models ?? [])])
    const counted = new Map([...withModels(wanted, workers)].filter(([key]) => models.has(key)))
    try {
      return await this.#lease(counted)
    } catch {
      return new Map()
    }
  }

  async take(key: string): Promise<number> {
    const [end = 1] = await this.#take('strict', [{ key, count: 1 }])
    return end - 1
  }

  async #lease(wanted: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, TicketBlock>> {
    if (wanted.size === 0) return new Map()
    const blocks = Array.from(wanted, ([key, count]) => {
      return { key, count: Math.min(Math.max(1, Math.ceil(count)), MAX_TICKET_BLOCK) }
    })
    const ends = await this.#take('leased', blocks)
    return new Map(blocks.map(({ key, count }, at) => [key, { first: (ends[at] ?? count) - count, count }]))
  }

  async #take(
    kind: TurnCount,
    blocks: readonly { readonly key: string; readonly count: number }[],
  ): Promise<readonly number[]> {
    const keys = blocks.map(({ key }) => `${this.#keyPrefix}:turn:${kind}:${key}`)
    const reply = await this.#link.eval(TAKE, { keys, args: [KEPT_MS, ...blocks.map(({ count }) => count)] })
    return Array.isArray(reply) ? reply.map(Number) : []
  }
}
