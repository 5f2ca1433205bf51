// Redis over HTTP, as Upstash speaks it: for Workers, and wherever nothing but HTTP gets out.

import { Redis } from '@upstash/redis/cloudflare'
import type { ReplayRedisConfig } from '../config/config.ts'
import type { RedisScripts } from '../store/replay-redis.ts'
import { failureWords } from './redis-failure.ts'

/** A server that has not answered by then hangs; one request of the client takes as long, whatever it tries again. */
const TIMEOUT_MS = 4_500

export function openUpstash({ restUrl, token }: Pick<ReplayRedisConfig, 'restUrl' | 'token'>): RedisScripts {
  if (restUrl === null || token === null) throw new Error('router_replay.redis has no rest_url, or no token')
  // `fetch` says the whole URL again when it refuses one with a password in it.
  const words = failureWords(restUrl, [token])
  const redis = new Redis({
    url: restUrl,
    token,
    // A record is text, whatever its text looks like.
    automaticDeserialization: false,
    responseEncoding: false,
    // Calls of several requests in one would make one request of a Worker wait for another's.
    enableAutoPipelining: false,
    enableTelemetry: false,
    signal: () => AbortSignal.timeout(TIMEOUT_MS),
    retry: { retries: 2, backoff: (count) => 100 * 2 ** count },
  })
  return {
    async run(script, keys, values) {
      try {
        return await redis.eval(script, [...keys], [...values])
      } catch (cause) {
        // oxlint-disable-next-line preserve-caught-error -- a cause is logged with what it holds
        throw new Error(`Redis over HTTP: ${words(withoutCommand(cause))}`)
      }
    },
    close: async () => {},
  }
}

/** The client's own words repeat the command, and with it what the records say. */
function withoutCommand(cause: unknown): Error {
  const [said = ''] = (cause instanceof Error ? cause.message : '').split(', command was', 1)
  return new Error(said === '' ? 'it failed' : said)
}
