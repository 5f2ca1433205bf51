// Redis over HTTP as Upstash speaks it: for Workers, and wherever nothing but HTTP gets out. Its client is as big as a good
// part of the router, so this module is loaded by whoever has such a Redis, and by nobody else (open-redis.ts).

import { Redis } from '@upstash/redis/cloudflare'
import type { RedisCommands } from '../store/redis-commands.ts'
import { failureWords } from '../store/redis-failure.ts'

export interface UpstashOptions {
  readonly restUrl: string
  readonly token: string
  /** How often a command that no answer came to is sent again, within the time its signal leaves; not at all by default. */
  readonly retries?: number
}

export function openUpstash({ restUrl, token, retries = 0 }: UpstashOptions): RedisCommands {
  // `fetch` says the whole URL again when it refuses one with a password in it.
  const words = failureWords(restUrl, [token])
  return {
    async command(args, signal) {
      try {
        return await clientFor({ restUrl, token, retries }, signal).exec([...args] as [string, ...string[]])
      } catch (cause) {
        // oxlint-disable-next-line preserve-caught-error -- a cause is logged with what it holds
        throw new Error(`Redis over HTTP: ${words(withoutContent(cause))}`)
      }
    },
    close: async () => {},
  }
}

/** One a command, as the client has one signal for all of its commands; making it takes some microseconds and no call. */
function clientFor({ restUrl, token, retries }: Required<UpstashOptions>, signal: AbortSignal): Redis {
  return new Redis({
    url: restUrl,
    token,
    // What is kept is text, whatever that looks like.
    automaticDeserialization: false,
    responseEncoding: false,
    // Calls of several requests in one would make one request of a Worker wait for another's.
    enableAutoPipelining: false,
    enableTelemetry: false,
    // Needs a client that lives on; a read that waits for replicas would not be worth its time either.
    readYourWrites: false,
    // As a function: else a command that is called off resolves with the reason, as if Redis had said it.
    signal: () => signal,
    // `retry: false` tries twice (1.39.0).
    retry: { retries, backoff: (count) => 100 * 2 ** count },
  })
}

/** The client's own words repeat the command, or what was answered, and with it what callers and models say. */
function withoutContent(cause: unknown): Error {
  if (!(cause instanceof Error)) return new Error('it failed')
  if (cause.name === 'UpstashJSONParseError') return new Error('it answered with something else than JSON')
  const [said = ''] = cause.message.split(', command was', 1)
  return new Error(said === '' ? 'it failed' : said)
}
