// Who leads a fleet over Redis: one process at a time holds a key that expires, and with it a term that no leader before it
// had. What an earlier leader says or writes is told by its term.

import type { RedisLink, RedisReply } from './redis-link.ts'

/**
 * Takes the key if it is free or ours, and says who has it and in which term. Also says that this process lives, and which
 * version of what is kept is the last. A term is the server's time, so it rises even when the server has lost everything.
 */
const CLAIM = `
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
local version = redis.call('GET', KEYS[3]) or ''
local holder = redis.call('HMGET', KEYS[1], 'name', 'term')
if holder[1] and holder[1] ~= ARGV[1] then return {holder[1], holder[2], version} end
local term = holder[2] or string.format('%.0f', nowMs)
redis.call('HSET', KEYS[1], 'name', ARGV[1], 'term', term)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {ARGV[1], term, version}`

/** Gives up the lock, and this process's life, where they are its own. */
export const RELEASE = `
redis.call('DEL', KEYS[2])
if redis.call('HGET', KEYS[1], 'name') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1`

/** What a write of a leader begins with: KEYS[1] is the lock, ARGV[1] the leader and ARGV[2] its term. */
export const FENCE = `
local holder = redis.call('HMGET', KEYS[1], 'name', 'term')
if holder[1] ~= ARGV[1] or holder[2] ~= ARGV[2] then return 0 end`

const LOCK_MS = 3_000
const PRESENCE_MS = 6_000

/** Part of its time after which a leader no longer counts on the lock: its clock may run slower than the server's. */
const TRUSTED_PART = 0.8

export interface Seat {
  readonly leader: string
  readonly term: number
  readonly isMine: boolean
  /** Of what is kept for the next leader; empty while nothing is. */
  readonly keptVersion: string
}

export interface LeaderLockOptions {
  readonly link: RedisLink
  readonly keyPrefix: string
  /** Random name of this process. */
  readonly name: string
  /** How long the fleet waits for a leader that is gone; three seconds when left out. */
  readonly lockMs?: number
  /** After how long without a word a process counts as dead; six seconds when left out. */
  readonly presenceMs?: number
  now(): number
}

export const lockKey = (keyPrefix: string): string => `${keyPrefix}:leader`
export const presenceKey = (keyPrefix: string, process: string): string => `${keyPrefix}:process:${process}`
export const keptVersionKey = (keyPrefix: string): string => `${keyPrefix}:kept-version`

export class LeaderLock {
  readonly #options: LeaderLockOptions
  #heldUntilMs = Number.NEGATIVE_INFINITY

  constructor(options: LeaderLockOptions) {
    this.#options = options
  }

  /** Whether nobody else can be the leader at this moment. */
  isHeld(): boolean {
    return this.#options.now() < this.#heldUntilMs
  }

  /** Takes the lock, or keeps it; says who has it. */
  async claim(): Promise<Seat> {
    const { link, keyPrefix, name, lockMs = LOCK_MS, presenceMs = PRESENCE_MS, now } = this.#options
    const askedAtMs = now()
    const keys = [lockKey(keyPrefix), presenceKey(keyPrefix, name), keptVersionKey(keyPrefix)]
    const seat = toSeat(await link.eval(CLAIM, { keys, args: [name, lockMs, presenceMs] }), name)
    this.#heldUntilMs = seat.isMine ? askedAtMs + TRUSTED_PART * lockMs : Number.NEGATIVE_INFINITY
    return seat
  }

  /** Lets others lead at once. */
  async release(): Promise<void> {
    const { link, keyPrefix, name } = this.#options
    this.#heldUntilMs = Number.NEGATIVE_INFINITY
    await link.eval(RELEASE, { keys: [lockKey(keyPrefix), presenceKey(keyPrefix, name)], args: [name] })
  }
}

function toSeat(reply: RedisReply, name: string): Seat {
  if (!Array.isArray(reply)) throw new Error('Redis answered a claim of the lead with something else')
  const [leader, term, keptVersion] = reply
  return { leader: String(leader), term: Number(term), isMine: leader === name, keptVersion: String(keptVersion ?? '') }
}
