// What of a fleet outlives its leader, in Redis: what is held for and against each worker, drains among it.

import type { KeptWorker } from './fleet-health.ts'
import { FENCE, keptVersionKey, lockKey } from './leader-lock.ts'
import type { RedisLink, RedisReply } from './redis-link.ts'

/** Pairs of worker id and memo, an empty memo for one that is gone. A version is the server's time, and rises. */
const KEEP = `${FENCE}
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local version = math.max(nowMs, (tonumber(redis.call('GET', KEYS[3])) or 0) + 1)
for at = 3, #ARGV, 2 do
  if ARGV[at + 1] == '' then redis.call('HDEL', KEYS[2], ARGV[at])
  else redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
end
local text = string.format('%.0f', version)
redis.call('SET', KEYS[3], text)
return text`

export interface RedisKeptOptions {
  readonly link: RedisLink
  readonly keyPrefix: string
}

export interface Leading {
  readonly leader: string
  readonly term: number
}

export class RedisKept {
  readonly #options: RedisKeptOptions
  /** As last read or known: what a server that has lost everything is told again. */
  readonly #known = new Map<string, KeptWorker['memo']>()
  /** Workers whose memo here is not there yet. */
  readonly #unwritten = new Set<string>()
  #version = ''

  constructor(options: RedisKeptOptions) {
    this.#options = options
  }

  list(): readonly KeptWorker[] {
    return Array.from(this.#known, ([workerId, memo]) => ({ workerId, memo }))
  }

  /** Reads it if it has changed since; a server that has nothing leaves what is known here. */
  async catchUp(version: string): Promise<void> {
    if (version === '' || version === this.#version) return
    const { link } = this.#options
    const reply = await link.eval(`return redis.call('HGETALL', KEYS[1])`, { keys: [this.#key()], args: [] })
    this.#known.clear()
    this.#unwritten.clear()
    for (const [workerId, text] of pairsOf(reply)) {
      const memo = toMemo(text)
      if (memo !== null) this.#known.set(workerId, memo)
    }
    this.#version = version
  }

  /** What a leader knows now; there once it has been written. */
  note(changes: readonly KeptWorker[]): void {
    for (const { workerId, memo } of changes) {
      this.#known.set(workerId, memo)
      this.#unwritten.add(workerId)
    }
  }

  /** Everything that is known here is to be written, as a new leader does. */
  noteAll(): void {
    for (const workerId of this.#known.keys()) this.#unwritten.add(workerId)
  }

  /** Writes what is not there yet; false when somebody else leads by now, and then nothing is written. */
  async write({ leader, term }: Leading): Promise<boolean> {
    if (this.#unwritten.size === 0) return true
    const { link, keyPrefix } = this.#options
    const changes = Array.from(this.#unwritten, (workerId) => ({ workerId, memo: this.#known.get(workerId) ?? null }))
    const pairs = changes.flatMap(({ workerId, memo }) => [workerId, memo === null ? '' : JSON.stringify(memo)])
    const keys = [lockKey(keyPrefix), this.#key(), keptVersionKey(keyPrefix)]
    const reply = await link.eval(KEEP, { keys, args: [leader, term, ...pairs] })
    if (typeof reply !== 'string') return false
    this.#version = reply
    for (const { workerId, memo } of changes) {
      // It may have changed again on the way.
      if ((this.#known.get(workerId) ?? null) !== memo) continue
      this.#unwritten.delete(workerId)
      if (memo === null) this.#known.delete(workerId)
    }
    return true
  }

  #key(): string {
    return `${this.#options.keyPrefix}:kept`
  }
}

function pairsOf(reply: RedisReply): readonly (readonly [string, string])[] {
  if (!Array.isArray(reply)) return []
  const pairs: (readonly [string, string])[] = []
  for (let at = 0; at + 1 < reply.length; at += 2) pairs.push([String(reply[at]), String(reply[at + 1])])
  return pairs
}

/** Null for what no router wrote: a fleet must not be without a leader because of it. */
function toMemo(text: string): KeptWorker['memo'] {
  try {
    const memo: unknown = JSON.parse(text)
    // A memo has the URL of its worker, whatever version wrote it.
    const isMemo = typeof memo === 'object' && memo !== null && 'url' in memo
    return isMemo ? (memo as KeptWorker['memo']) : null
  } catch {
    return null
  }
}
