// The long-lived parts that serving a request takes, put together once a process or isolate.

import type { TokenCache } from '../cache/token-cache.ts'
import type { Config } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import type { ViewDocuments } from '../record/view-document.ts'
import type { FleetMirror } from '../store/fleet-mirror.ts'
import type { LimitDesk } from '../store/limit-desk.ts'
import type { PromptCaches } from '../store/prompt-caches.ts'
import type { RedisShelf } from '../store/redis-shelf.ts'
import type { SharedPrefixes } from '../store/shared-prefixes.ts'
import type { Embedders } from '../upstream/embedders.ts'
import type { RetryBudget } from '../upstream/retry-budget.ts'
import type { AdmissionQueue } from './admission-queue.ts'
import type { Callers } from './callers.ts'
import type { ClusterIndex } from './cluster-index.ts'
import type { PipelineEvents } from './events.ts'
import type { HookGroups } from './hooks.ts'
import type { SpanSink } from './tracing.ts'
import type { ResponseCache } from './response-cache.ts'
import type { SemanticCache } from './semantic-cache.ts'
import type { SignalServers } from './signal-servers.ts'
import type { VectorKeeper } from './vector-keeper.ts'
import type { LmcacheDesk } from './lmcache-desk.ts'

export interface RouterParts {
  readonly config: Config
  readonly platform: Platform
  readonly mirror: FleetMirror
  readonly callers: Callers
  /** Outlives a configuration, as the requests in it do. */
  readonly admission: AdmissionQueue
  /** Connections to where caches are; outlive it likewise. */
  readonly redis: RedisShelf
  /** Outlives it likewise. */
  readonly limits: LimitDesk
  /** Where prompts are cached, and what they cost. Outlives it likewise. */
  readonly promptCaches: PromptCaches
  /** The same as other routers and isolates know it; null when they are not asked. */
  readonly sharedPrefixes: SharedPrefixes | null
  /** Null where the policy wants nothing of LMCache. */
  readonly lmcache: LmcacheDesk | null
  /** Token ids of prompts that were tokenised before. */
  readonly tokenCache: TokenCache
  readonly hookGroups: HookGroups
  /** Outlive it too: vectors stay good for as long as their server has the same model. */
  readonly embedders: Embedders
  /** Where those of the configuration's own texts are kept. */
  readonly vectorKeeper: VectorKeeper
  /** Null where no answer is given twice. */
  readonly responseCache: ResponseCache | null
  /** Null where none is given to a request that only means the same. */
  readonly semanticCache: SemanticCache | null
  /** Whoever answers what decisions ask of servers. */
  readonly signalServers: SignalServers
  /** Null where there are no clusters. */
  readonly clusters: ClusterIndex | null
  readonly events: PipelineEvents
  /** Where ended spans go; null when nothing is traced. */
  readonly spans: SpanSink | null
  /** Documents of the views that decisions were made on, for records to name. */
  readonly viewDocuments: ViewDocuments
  /** What all requests together may spend on retries. */
  readonly retryBudget: RetryBudget
  /** The same for second attempts of late requests; null when there are none. */
  readonly hedgeBudget: RetryBudget | null
  /** True once the process is shutting down: running requests finish, new ones are refused. */
  isDraining(): boolean
}

/** The largest request body taken, from a caller as from a hook. */
export function maxBodyBytes({ config, platform }: Pick<RouterParts, 'config' | 'platform'>): number {
  return config.maxPayloadBytes ?? platform.defaultMaxPayloadBytes
}
