// A connection to Redis for Node, Bun and Deno alike: connects again by itself for as long as it takes, and never makes
// anybody wait for that.

import type { RedisConfig } from '../config/config.ts'
import type { RedisLink, RedisReply, ScriptCall } from '../store/redis-link.ts'
import { failureWords } from '../store/redis-failure.ts'
import { RedisSubscriptions } from './redis-subscriptions.ts'

const FIRST_RETRY_MS = 50
const MAX_RETRY_MS = 1_000

/** A connection that says nothing for this long is given up; the fleet asks twice a second. */
const SILENCE_MS = 5_000

/** Commands on their way at a time; beyond it they are refused. */
const MAX_WAITING = 10_000

/**
 * Begins to connect. Resolves with the first connection, or without one when that takes too long: the link goes on
 * trying.
 */
export async function connectRedis(config: RedisConfig): Promise<RedisLink> {
  // Loaded when asked for: most routers have no Redis.
  const { createClient } = await import('@redis/client')
  const client = createClient({
    url: config.url.reveal(),
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_WAITING,
    maintNotifications: 'disabled',
    socket: {
      connectTimeout: config.connectTimeoutMs,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: (retries) => Math.min(FIRST_RETRY_MS * 2 ** Math.min(retries, 10), MAX_RETRY_MS),
    },
  })
  const words = failureWords(config.url.reveal())
  let failure: unknown = null
  // Whoever needs it meets the error at the next command.
  client.on('error', (error: unknown) => {
    failure = error
  })
  const subscriptions = new RedisSubscriptions(client)
  client.on('ready', () => subscriptions.renew())

  async function run(args: readonly string[]): Promise<RedisReply> {
    if (!client.isReady) throw new Error(`Redis can't be reached: ${words(failure)}`)
    // Who hears nothing can neither lead nor follow.
    const refusal = subscriptions.refusal()
    if (refusal !== null) throw new Error(`Redis can't listen to ${refusal.channel}: ${words(refusal.cause)}`)
    try {
      return await answered(client.sendCommand<RedisReply>(args), config.commandTimeoutMs)
    } catch (cause) {
      // oxlint-disable-next-line preserve-caught-error -- a server may say again what it was told, a password included
      throw new Error(`Redis: ${words(cause)}`)
    }
  }

  const connected = client.connect().catch(() => {})
  await Promise.race([connected, pause(config.connectTimeoutMs)])
  return {
    async timeMs() {
      return toTimeMs(await run(['TIME']))
    },
    async get(key) {
      const reply = await run(['GET', key])
      return typeof reply === 'string' ? reply : null
    },
    eval: (script, { keys, args }: ScriptCall) =>
      run(['EVAL', script, String(keys.length), ...keys, ...args.map(String)]),
    publish: async (channel, message) => Number(await run(['PUBLISH', channel, message])),
    subscribe: (channel, listener) => subscriptions.add(channel, listener),
    close: () => client.destroy(),
  }
}

/** `[seconds, microseconds]`, both as text. */
function toTimeMs(reply: RedisReply): number {
  if (!Array.isArray(reply)) throw new Error('Redis answered TIME with something else')
  const [seconds, micros] = reply
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}

async function answered<Reply>(reply: Promise<Reply>, limitMs: number): Promise<Reply> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs)
  })
  try {
    return await Promise.race([reply, late])
  } finally {
    clearTimeout(timer)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
