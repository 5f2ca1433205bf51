// Redis over HTTP for Router Replay on Workers: an entry that wants it passes it to `createWorker`.

import { RedisReplayStore } from '../store/replay-redis.ts'
import type { BroughtReplayStore } from './cloudflare-replays.ts'
import { openUpstashScripts } from './upstash-scripts.ts'

export const redisReplays: BroughtReplayStore = {
  backend: 'redis',
  open({ redis }) {
    if (redis === null) throw new Error('router_replay.redis is not set')
    return new RedisReplayStore({ redis: openUpstashScripts(redis), config: redis, now: () => Date.now() })
  },
}
