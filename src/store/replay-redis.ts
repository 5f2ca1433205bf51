// ReplayStore in Redis, Valkey or whatever speaks like them, over sockets or over HTTP: both clients run scripts, and what
// changes several keys is one script, so that routers side by side never see each other's work half done.
// Keys, all behind the prefix: `record:<id>`, and for each decision `times:<decision>` and `expiries:<decision>`; `decisions`.

import type { ReplayRecord } from '../capture/replay-record.ts'
import type { ReplayRedisConfig } from '../config/config.ts'
import { wantsAll } from './decision-filters.ts'
import type { Position } from './decision-log.ts'
import { compareInList, isAfter } from './decision-position.ts'
import { MAX_PAGE_LENGTH, ReplayPageBuilder } from './replay-page.ts'
import type { ReplayKeeping, ReplayPage, ReplayQuery, ReplayStore } from './replay-store.ts'
import { parseReplay, toStoredReplay } from './stored-replay.ts'

/** What is used of a client. */
export interface RedisScripts {
  /** Runs a script on the server; answers are texts, numbers, nulls, and lists of these. */
  run(script: string, keys: readonly string[], values: readonly string[]): Promise<unknown>
  close(): Promise<void>
}

export interface RedisReplayOptions {
  readonly redis: RedisScripts
  readonly config: Pick<ReplayRedisConfig, 'keyPrefix'>
  now(): number
}

/** Records that are asked for at a time. */
const FETCHED = 100

// KEYS: times, expiries. ARGV: prefix, now. What has expired is out of the lists, so that they can be counted.
const FORGET_EXPIRED = `
local prefix, now = ARGV[1], ARGV[2]
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('DEL', prefix .. 'record:' .. id)
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
`

// KEYS: times, expiries, decisions. ARGV: prefix, now, how many to keep, decision; then id, time, expiry, text of each.
const PUT = `
for at = 5, #ARGV, 4 do
  local id, time, expiry, text = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  if expiry == '' then
    redis.call('SET', ARGV[1] .. 'record:' .. id, text)
    redis.call('ZREM', KEYS[2], id)
  else
    redis.call('SET', ARGV[1] .. 'record:' .. id, text, 'PXAT', expiry)
    redis.call('ZADD', KEYS[2], expiry, id)
  end
  redis.call('ZADD', KEYS[1], time, id)
end
redis.call('SADD', KEYS[3], ARGV[4])
${FORGET_EXPIRED}
local surplus = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[3])
if surplus > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, surplus - 1)) do
    redis.call('DEL', prefix .. 'record:' .. id)
    redis.call('ZREM', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
  end
end
return 0
`

const IDS = `${FORGET_EXPIRED}
return redis.call('ZRANGE', KEYS[1], 0, -1, 'REV', 'WITHSCORES')
`

const DECISIONS = `return redis.call('SMEMBERS', KEYS[1])`

// KEYS: records. ARGV: how long the answer may get. How many of the keys it got to, and their texts.
const RECORDS = `
local texts, length, looked = {}, 0, 0
for at, key in ipairs(KEYS) do
  if length > tonumber(ARGV[1]) then break end
  local text = redis.call('GET', key)
  texts[at], looked = text, at
  if text then length = length + #text end
end
return {looked, texts}
`

export class RedisReplayStore implements ReplayStore {
  readonly backend = 'redis'
  readonly #redis: RedisScripts
  readonly #prefix: string
  readonly #now: () => number

  constructor({ redis, config, now }: RedisReplayOptions) {
    this.#redis = redis
    this.#prefix = config.keyPrefix
    this.#now = now
  }

  async put(namespace: string, records: readonly ReplayRecord[], keeping: ReplayKeeping): Promise<void> {
    const values = records.flatMap((record) => {
      const { id, timeMs, expiresAtMs, text } = toStoredReplay(record, keeping)
      return [id, String(timeMs), expiresAtMs === null ? '' : String(expiresAtMs), text]
    })
    const head = [this.#prefix, String(this.#now()), String(keeping.maxRecords), namespace]
    await this.#redis.run(PUT, [...this.#keysOf(namespace), `${this.#prefix}decisions`], [...head, ...values])
  }

  async list(query: ReplayQuery): Promise<ReplayPage> {
    const positions = await this.#positions()
    const { sinceMs, untilMs } = query.filters
    const isWhole = wantsAll(query.filters) && sinceMs === undefined && untilMs === undefined
    // Without a filter, what the page leaves out need not be fetched; one more tells whether there is another page.
    const wanted = isWhole
      ? positions
          .filter((position) => isAfter(position, query.after))
          .slice(query.offset, query.offset + query.limit + 1)
      : positions
    const builder = new ReplayPageBuilder(isWhole ? { ...query, offset: 0 } : query)
    for (let from = 0; from < wanted.length && !(isWhole && builder.isFull);) {
      const { looked, texts } = await this.#texts(wanted.slice(from, from + FETCHED).map(({ id }) => id))
      for (const text of texts) builder.offer(parseReplay(text), text.length)
      from += looked
    }
    const page = builder.page()
    return isWhole ? { ...page, total: positions.length } : page
  }

  async find(id: string): Promise<ReplayRecord | null> {
    const [text] = (await this.#texts([id])).texts
    return text === undefined ? null : parseReplay(text)
  }

  close(): Promise<void> {
    return this.#redis.close()
  }

  /** Of all records, in the order of the list. */
  async #positions(): Promise<readonly Position[]> {
    const decisions = textsOf(await this.#redis.run(DECISIONS, [`${this.#prefix}decisions`], []))
    const values = [this.#prefix, String(this.#now())]
    const lists = await Promise.all(
      decisions.map(async (name) => toPositions(await this.#redis.run(IDS, this.#keysOf(name), values))),
    )
    return lists.flat().sort(compareInList)
  }

  /** Those of the first so many that are still there; fewer than were asked for when they are long. */
  async #texts(ids: readonly string[]): Promise<{ readonly looked: number; readonly texts: readonly string[] }> {
    const keys = ids.map((id) => `${this.#prefix}record:${id}`)
    const answer = await this.#redis.run(RECORDS, keys, [String(MAX_PAGE_LENGTH)])
    const [looked, texts] = Array.isArray(answer) ? (answer as readonly unknown[]) : []
    // One at least, whatever it says: or this would never end.
    return { looked: Math.max(1, Number(looked)), texts: textsOf(texts) }
  }

  #keysOf(namespace: string): readonly string[] {
    return [`${this.#prefix}times:${namespace}`, `${this.#prefix}expiries:${namespace}`]
  }
}

function textsOf(answer: unknown): readonly string[] {
  return Array.isArray(answer) ? answer.filter((item) => typeof item === 'string') : []
}

function toPositions(answer: unknown): readonly Position[] {
  const items: readonly unknown[] = Array.isArray(answer) ? answer : []
  const positions: Position[] = []
  // Ids and times in turn; times come as text, or as numbers.
  for (let at = 0; at + 1 < items.length; at += 2)
    positions.push({ id: String(items[at]), timeMs: Number(items[at + 1]) })
  return positions
}
