// Answers in a Redis, shared by every router with the same prefix. Marks are read in the same command as the answer, so a
// purge holds for the next request anywhere.
// Keys, all behind the prefix: `exact:<key>`, a text with an expiry; `purges`, a hash of marks.

import type { RedisCommands } from '../store/redis-commands.ts'
import {
  epochOf,
  type Lookup,
  MAX_MARKS,
  markOf,
  marksOf,
  type Partition,
  type RemoteResponseStore,
  type StoredAnswer,
} from './response-store.ts'
import type { PurgeScope } from '../store/purge-log.ts'
import { parseStoredText, toStoredText } from './stored-text.ts'

export interface RedisResponseOptions {
  readonly redis: RedisCommands
  readonly keyPrefix: string
  readonly ttlMs: number
  /** Ids of purges: no two alike, whoever makes them. */
  randomId(): string
}

// KEYS: answer, purges. ARGV: names of marks.
const FIND = `
local found = {redis.call('GET', KEYS[1])}
for at, mark in ipairs(ARGV) do found[at + 1] = redis.call('HGET', KEYS[2], mark) end
return found
`

// KEYS: purges. ARGV: mark, id, how many marks there may be.
export const PURGE = `
local mark = ARGV[1]
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  redis.call('DEL', KEYS[1])
  mark = 'all'
end
return redis.call('HSET', KEYS[1], mark, ARGV[2])
`

export class RedisResponseStore implements RemoteResponseStore {
  readonly backend = 'redis'
  readonly #options: RedisResponseOptions

  constructor(options: RedisResponseOptions) {
    this.#options = options
  }

  async find(key: string, partition: Partition, signal: AbortSignal): Promise<Lookup> {
    const { redis } = this.#options
    const args = ['EVAL', FIND, '2', this.#keyOf(key), this.#purges(), ...marksOf(partition)]
    const [text, ...marks] = asList(await redis.command(args, signal))
    const epoch = epochOf(marks.map((mark) => (typeof mark === 'string' ? mark : null)))
    const answer = typeof text === 'string' ? parseStoredText(text) : null
    return { answer: answer?.epoch === epoch ? answer : null, epoch }
  }

  async put(key: string, answer: StoredAnswer, signal: AbortSignal): Promise<void> {
    const { redis, ttlMs } = this.#options
    const text = toStoredText(answer)
    if (text === null) return
    await redis.command(['SET', this.#keyOf(key), text, 'PX', String(Math.ceil(ttlMs))], signal)
  }

  async purge(scope: PurgeScope, signal: AbortSignal): Promise<void> {
    const { redis, randomId } = this.#options
    const mark = markOf(scope)
    const args =
      mark === null
        ? ['DEL', this.#keyOf(scope.kind === 'key' ? scope.name : '')]
        : ['EVAL', PURGE, '1', this.#purges(), mark, randomId(), String(MAX_MARKS)]
    await redis.command(args, signal)
  }

  #keyOf(key: string): string {
    return `${this.#options.keyPrefix}exact:${key}`
  }

  #purges(): string {
    return `${this.#options.keyPrefix}purges`
  }
}

export function asList(answer: unknown): readonly unknown[] {
  if (!Array.isArray(answer)) throw new Error('Redis gave something else than the list that was asked for')
  return answer
}
