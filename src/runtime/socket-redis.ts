// Redis over sockets, for Node, Bun and Deno. The connection is made when it is first needed, and made again whenever it
// breaks; meanwhile every call fails after a moment, and nothing is saved up.

import type { ReplayRedisConfig } from '../config/config.ts'
import type { RedisCommands } from '../store/redis-commands.ts'
import type { RedisScripts } from '../store/replay-redis.ts'
import { failureWords } from '../store/redis-failure.ts'
import { watchSilence } from './silence-watch.ts'

const CONNECT_TIMEOUT_MS = 3_000
const MAX_PAUSE_MS = 2_000

/** Longer than any script of ours takes. */
const SILENCE_MS = 4_500

type SocketAddress = Pick<ReplayRedisConfig, 'url' | 'skipsVerification'>

export function openSocketRedis(address: SocketAddress): RedisScripts {
  const { command, close } = openSocketCommands(address)
  return {
    run: (script, keys, values) => command(['EVAL', script, String(keys.length), ...keys, ...values]),
    close,
  }
}

/** The same for any command. A signal does not call one off: the commands behind it would wait for its answer all the same. */
export function openSocketCommands({ url, skipsVerification }: SocketAddress): SocketCommands {
  // One for all calls: those of a process may wait for each other.
  let connecting: Promise<Connection> | null = null
  const silence = watchSilence(SILENCE_MS)
  return {
    async command(args) {
      const own = (connecting ??= connect(url?.reveal() ?? '', skipsVerification))
      const { client, whenReady } = await own
      await whenReady()
      const end = silence.begin(() => {
        if (connecting === own) connecting = null
        // Whatever waits for an answer fails, and the next call connects anew.
        client.destroy()
      })
      try {
        return await client.sendCommand(args)
      } finally {
        silence.heard()
        end()
      }
    },
    async close() {
      const connected = await connecting
      connected?.client.destroy()
    },
  }
}

interface SocketCommands extends RedisCommands {
  command(args: readonly string[]): Promise<unknown>
}

type Connection = Awaited<ReturnType<typeof connect>>

async function connect(url: string, skipsVerification: boolean) {
  // Loaded when it is needed: most routers have no Redis.
  const { createClient } = await import('@redis/client')
  const words = failureWords(url)
  const client = createClient({
    url,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectStrategy: (tries) => Math.min(MAX_PAUSE_MS, 50 * 2 ** Math.min(tries, 6)),
      ...(skipsVerification ? { tls: true, rejectUnauthorized: false } : {}),
    },
  })
  let failure: unknown = null
  // Whoever calls hears of it; without a listener the process would end.
  client.on('error', (error: unknown) => {
    failure = error
  })
  // Goes on trying until it succeeds.
  const connected = client.connect()
  connected.catch(() => {})
  let waiting: Promise<void> | null = null
  async function wait(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const ready = new Promise<void>((resolve) => client.once('ready', resolve))
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Redis can not be reached (${words(failure)})`)), CONNECT_TIMEOUT_MS)
    })
    try {
      await Promise.race([ready, late])
    } finally {
      clearTimeout(timer)
      waiting = null
    }
  }
  return {
    client,
    async whenReady(): Promise<void> {
      if (!client.isReady) await (waiting ??= wait())
    },
  }
}
