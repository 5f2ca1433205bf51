// Scripts of Router Replay through Redis over HTTP.

import type { ReplayRedisConfig } from '../config/config.ts'
import type { RedisScripts } from '../store/replay-redis.ts'
import { openRedisOverHttp } from '../upstream/open-redis.ts'

/** A server that has not answered by then hangs, whatever is tried again. */
const TIMEOUT_MS = 4_500

/** Records wait for no request, and writing one twice leaves one: what fails is tried again. */
const RETRIES = 2

export function openUpstashScripts({ restUrl, token }: Pick<ReplayRedisConfig, 'restUrl' | 'token'>): RedisScripts {
  if (restUrl === null || token === null) throw new Error('router_replay.redis has no rest_url, or no token')
  const { command, close } = openRedisOverHttp({
    restUrl: restUrl.reveal(),
    token: token.reveal(),
    retries: RETRIES,
  })
  return {
    run: (script, keys, values) =>
      command(['EVAL', script, String(keys.length), ...keys, ...values], AbortSignal.timeout(TIMEOUT_MS)),
    close,
  }
}
