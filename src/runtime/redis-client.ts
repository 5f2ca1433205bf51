// A connection to Redis for Node, Bun and Deno alike: connects again by itself for as long as it takes, and never makes
// anybody wait for that.

import type { RedisConfig } from '../config/config.ts'
import type { RedisLink, RedisReply, ScriptCall } from '../store/redis-link.ts'

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
    url: config.url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_WAITING,
    maintNotifications: 'disabled',
    socket: {
      connectTimeout: config.connectTimeoutMs,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: (retries) => Math.min(FIRST_RETRY_MS * 2 ** Math.min(retries, 10), MAX_RETRY_MS),
    },
  })
  // Whoever needs it meets the error at the next command.
  client.on('error', () => {})
  const subscriptions = new Map<string, (message: string) => void>()
  const run = async (args: readonly string[]): Promise<RedisReply> =>
    answered(client.sendCommand<RedisReply>(args), config.commandTimeoutMs)
  client.on('ready', () => {
    for (const [channel, listener] of subscriptions) subscribe(channel, listener)
  })

  function subscribe(channel: string, listener: (message: string) => void): void {
    // A connection that breaks meanwhile brings `ready` once more; subscribing twice to one listener is once.
    client.subscribe(channel, listener).catch(() => {})
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
    subscribe(channel, listener) {
      subscriptions.set(channel, listener)
      if (client.isReady) subscribe(channel, listener)
    },
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
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${limitMs} ms`)), limitMs)
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
