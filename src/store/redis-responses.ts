// Which worker holds which stored response, in Redis; and what this process stored itself, for as long as no Redis answers.

import type { FleetStore, ResponseOwner } from './fleet-store.ts'
import type { RedisLink } from './redis-link.ts'
import { createResponseOwners } from './response-owners.ts'

/** Whether an owner has expired is told by what is written there; the server forgets it some time later. */
const FORGOTTEN_AFTER_MS = 60_000

/** An id that another tenant's response has stays that tenant's. */
const REMEMBER = `
local known = redis.call('HMGET', KEYS[1], 'tenant', 'expires')
if known[2] and tonumber(known[2]) > tonumber(ARGV[4]) and known[1] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'worker', ARGV[1], 'tenant', ARGV[2], 'expires', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1`

const FIND = `return redis.call('HMGET', KEYS[1], 'worker', 'tenant', 'expires')`
const FORGET = `return redis.call('DEL', KEYS[1])`

export interface RedisResponsesOptions {
  readonly link: RedisLink
  readonly keyPrefix: string
  now(): number
}

export function createRedisResponses({
  link,
  keyPrefix,
  now,
}: RedisResponsesOptions): Pick<FleetStore, 'rememberResponse' | 'findResponse' | 'forgetResponse'> {
  const own = createResponseOwners()
  const keyOf = (responseId: string) => `${keyPrefix}:response:${responseId}`

  async function findThere(responseId: string): Promise<ResponseOwner | null> {
    const call = { keys: [keyOf(responseId)], args: [] }
    const [nowMs, reply] = await Promise.all([link.timeMs(), link.eval(FIND, call)])
    const [worker, tenant, expires] = Array.isArray(reply) ? reply : []
    if (typeof worker !== 'string' || typeof tenant !== 'string' || Number(expires) <= nowMs) return null
    return { workerId: worker, tenant: JSON.parse(tenant) }
  }

  return {
    async rememberResponse(responseId, { workerId, tenant }, expiresAtMs) {
      own.remember(responseId, { workerId, tenant }, { nowMs: now(), expiresAtMs })
      const lastsMs = expiresAtMs - now()
      const nowMs = await link.timeMs()
      const times = [nowMs + lastsMs, nowMs, Math.max(1, lastsMs) + FORGOTTEN_AFTER_MS]
      await link.eval(REMEMBER, { keys: [keyOf(responseId)], args: [workerId, JSON.stringify(tenant), ...times] })
    },
    async findResponse(responseId) {
      try {
        return await findThere(responseId)
      } catch {
        // Better one process's memory than none.
        return own.find(responseId, now())
      }
    },
    async forgetResponse(responseId) {
      own.forget(responseId)
      // The response is gone from its worker whether or not that can be written down; its owner expires by itself.
      await link.eval(FORGET, { keys: [keyOf(responseId)], args: [] }).catch(() => {})
    },
  }
}
