// Answers by what was asked, in a Redis: the vectors of a partition are read and compared here, then the nearest answer is
// read. Redis itself can't compare vectors without a module that few have.
// Keys, all behind the prefix: `semantic:<partition>`, a sorted set of keys with their vectors by time; `semantic:answer:<key>`,
// a text with an expiry; `purges`, a hash of marks.

import type { RedisCommands } from '../store/redis-commands.ts'
import { asList, PURGE } from './response-redis.ts'
import { epochOf, MAX_MARKS, markOf, marksOf } from './response-store.ts'
import type { PurgeScope } from '../store/purge-log.ts'
import {
  cosineOf,
  type KeptQuestion,
  type RemoteSemanticStore,
  type SemanticLookup,
  type SemanticQuery,
} from './semantic-store.ts'
import { parseStoredText, toStoredText } from './stored-text.ts'

export interface RedisSemanticOptions {
  readonly redis: RedisCommands
  readonly keyPrefix: string
  /** Of one partition: all of them are read for each request. */
  readonly maxEntries: number
  /** Ids of purges: no two alike, whoever makes them. */
  randomId(): string
}

// KEYS: partition, purges. ARGV: the time before which entries count as gone, then names of marks.
const VECTORS = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local found = {redis.call('ZRANGE', KEYS[1], 0, -1)}
for at = 2, #ARGV do found[at] = redis.call('HGET', KEYS[2], ARGV[at]) end
return found
`

// KEYS: partition, answer. ARGV: time, entry, text, time to live, how many entries there may be.
const PUT = `
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[5]))
return redis.call('PEXPIRE', KEYS[1], ARGV[4])
`

export class RedisSemanticStore implements RemoteSemanticStore {
  readonly backend = 'redis'
  readonly #options: RedisSemanticOptions

  constructor(options: RedisSemanticOptions) {
    this.#options = options
  }

  async nearest(query: SemanticQuery, signal: AbortSignal): Promise<SemanticLookup> {
    const { redis } = this.#options
    const { partitionKey, partition, storedAfterMs } = query
    const keys = [this.#partition(partitionKey), this.#purges()]
    const args = ['EVAL', VECTORS, '2', ...keys, String(storedAfterMs), ...marksOf(partition)]
    const [entries, ...marks] = asList(await redis.command(args, signal))
    const epoch = epochOf(marks.map((mark) => (typeof mark === 'string' ? mark : null)))
    const near = nearestOf(asList(entries), query)
    if (near === null) return { nearest: null, epoch }
    const text = await redis.command(['GET', this.#answer(near.key)], signal)
    const answer = typeof text === 'string' ? parseStoredText(text) : null
    return { nearest: answer?.epoch === epoch ? { ...near, answer } : null, epoch }
  }

  async put({ partitionKey, key, vector, answer, ttlMs }: KeptQuestion, signal: AbortSignal): Promise<void> {
    const { redis, maxEntries } = this.#options
    const text = toStoredText(answer)
    if (text === null) return
    const keys = [this.#partition(partitionKey), this.#answer(key)]
    const entry = `${key} ${toBase64(vector)}`
    const values = [String(answer.storedAtMs), entry, text, String(Math.ceil(ttlMs)), String(maxEntries)]
    await redis.command(['EVAL', PUT, '2', ...keys, ...values], signal)
  }

  async purge(scope: PurgeScope, signal: AbortSignal): Promise<void> {
    const { redis, randomId } = this.#options
    const mark = markOf(scope)
    const args =
      mark === null
        ? ['DEL', this.#answer(scope.kind === 'key' ? scope.name : '')]
        : ['EVAL', PURGE, '1', this.#purges(), mark, randomId(), String(MAX_MARKS)]
    await redis.command(args, signal)
  }

  #partition(key: string): string {
    return `${this.#options.keyPrefix}semantic:${key}`
  }

  #answer(key: string): string {
    return `${this.#options.keyPrefix}semantic:answer:${key}`
  }

  #purges(): string {
    return `${this.#options.keyPrefix}purges`
  }
}

function nearestOf(
  entries: readonly unknown[],
  { vector, threshold }: SemanticQuery,
): { readonly key: string; readonly similarity: number } | null {
  let nearest: { readonly key: string; readonly similarity: number } | null = null
  for (const entry of entries) {
    const [key = '', text = ''] = typeof entry === 'string' ? entry.split(' ', 2) : []
    const similarity = cosineOf(vector, fromBase64(text))
    if (similarity === null || similarity < Math.max(threshold, nearest?.similarity ?? -1)) continue
    nearest = { key, similarity }
  }
  return nearest
}

function toBase64({ buffer, byteOffset, byteLength }: Float32Array): string {
  return btoa(Array.from(new Uint8Array(buffer, byteOffset, byteLength), (byte) => String.fromCharCode(byte)).join(''))
}

/** Empty for a text that is no vector. */
function fromBase64(text: string): Float32Array {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
    return new Float32Array(bytes.buffer, 0, Math.floor(bytes.length / Float32Array.BYTES_PER_ELEMENT))
  } catch {
    return new Float32Array(0)
  }
}
