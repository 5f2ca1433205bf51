// Where a Worker can keep records of Router Replay: by what is bound to it, and by the clients that its entry brings. Those
// are no part of every Worker, as each is as big as a good part of the router.

import type { ReplayStoreConfig } from '../config/config.ts'
import type { ReplayPlatform } from '../config/router-replay-checks.ts'
import type { ReplayBackend } from '../config/router-replay-schema.ts'
import { DurableReplayStore } from '../store/durable-replay.ts'
import { BucketReplayStore } from '../store/replay-bucket.ts'
import { MemoryReplayStore } from '../store/replay-memory.ts'
import type { ReplayShard } from '../store/replay-shard.ts'
import type { ReplayStore } from '../store/replay-store.ts'
import type { RouterEnv } from './cloudflare-env.ts'
import { REPLAY_STORE_MODULES } from './replay-store-modules.ts'

/** A backend with its client, for `createWorker({ replayStores })`. */
export interface BroughtReplayStore {
  readonly backend: ReplayBackend
  /** The configuration has been checked against what is bound. */
  open(config: ReplayStoreConfig, env: RouterEnv): ReplayStore
}

export function replayPlatformOf(env: RouterEnv, brought: readonly BroughtReplayStore[]): ReplayPlatform {
  const missing: Partial<Record<ReplayBackend, string>> = {}
  if (env.REPLAY_LOG === undefined) missing.durable_object = 'no binding REPLAY_LOG leads to the class ReplayLog'
  if (env.DECISIONS === undefined) missing.r2 = 'no bucket is bound as DECISIONS'
  for (const backend of ['redis', 'postgres'] as const) {
    const { name, module } = REPLAY_STORE_MODULES[backend]
    if (brought.some((store) => store.backend === backend)) continue
    missing[backend] =
      `the entry of this Worker has to bring its client: \`createWorker({ config, replayStores: [${name}] })\` with ` +
      `${name} from vllm-edge-router/${module}`
  }
  return {
    missing,
    hasSockets: false,
    hyperdrives: Object.keys(env).filter((name) => isHyperdrive(env[name])),
  }
}

export function replayStoreOf(env: RouterEnv, pool: string, brought: readonly BroughtReplayStore[]) {
  return function openReplayStore(config: ReplayStoreConfig): ReplayStore {
    const now = () => Date.now()
    const { REPLAY_LOG: objects, DECISIONS: bucket } = env
    if (config.backend === 'memory') return new MemoryReplayStore({ now })
    if (config.backend === 'durable_object' && objects !== undefined) {
      // The namespace's own type carries RPC wrappers that say the same less readably.
      const namespace = (name: string) => objects.get(objects.idFromName(name)) as unknown as ReplayShard
      return new DurableReplayStore({ namespace, pool })
    }
    if (config.backend === 'r2' && bucket !== undefined) {
      return new BucketReplayStore({ bucket, prefix: config.r2.prefix, now })
    }
    const own = brought.find(({ backend }) => backend === config.backend)
    if (own === undefined) throw new Error(`router_replay can't keep records in ${config.backend}: see wrangler.toml`)
    return own.open(config, env)
  }
}

export function isHyperdrive(value: unknown): value is Hyperdrive {
  return typeof value === 'object' && value !== null && 'connectionString' in value
}
