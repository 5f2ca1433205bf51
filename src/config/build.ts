// A checked file to the Config the router runs on, and the hash that stands for it on every record.
// Nothing is judged here: what arrives has passed every check.

import { digestOfKey } from '../access/key-digest.ts'
import { toAdminKeys } from './admin-schema.ts'
import { withRedisDigests } from './cache-redis-schema.ts'
import { toKeyValidation, toOverload, toTenants } from './caller-schema.ts'
import type {
  Config,
  EmbeddingServerConfig,
  HookConfig,
  RedisConfig,
  ReplayStoreConfig,
  ResponseCacheConfig,
  SignalServersConfig,
} from './config.ts'
import { canonicalJson, digest } from './digest.ts'
import { toDecisionLog } from './decision-log-schema.ts'
import { readySignals, signalRulesOf, toDecisions } from './decisions.ts'
import { toDocument } from './document.ts'
import { toBreaker, toHealth } from './health-schema.ts'
import { toHook } from './hook-schema.ts'
import { toModelRule } from './model-rule-schema.ts'
import type { ChosenPolicy } from './policy-section.ts'
import type { PoolEntry } from './pool.ts'
import { toResponseCache, toSemanticCache } from './response-cache-schema.ts'
import { type PromptCacheConfig, toPromptCache } from './prompt-cache-schema.ts'
import { toHedge, toRetry } from './retry-schema.ts'
import { toRouterReplay } from './router-replay-schema.ts'
import { replaceSecrets } from './schema-walk.ts'
import { toSemanticCluster } from './semantic-cluster-schema.ts'
import { type SharedPrefixConfig, toSharedPrefixes } from './shared-prefix-schema.ts'
import { toTraces } from './trace-schema.ts'
import { toSignalServers } from './signal-server-schema.ts'
import { toRedis } from './state-schema.ts'
import { DEFAULT_TOTAL_MS, type ConfigFile } from './schema.ts'

/** Puts the parts together; everything in them has been checked. */
export async function buildConfig(file: ConfigFile, pool: readonly PoolEntry[], chosen: ChosenPolicy): Promise<Config> {
  const settings = settingsOf(file, pool)
  const [hash, document] = await Promise.all([hashOf(settings, chosen), toDocument(file, chosen)])
  return {
    ...settings,
    policy: chosen.policy,
    signals: readySignals(settings.signalRules, settings.decisions),
    hash,
    document,
  }
}

type Settings = Omit<Config, 'hash' | 'policy' | 'document' | 'signals'>

function settingsOf(file: ConfigFile, pool: readonly PoolEntry[]): Settings {
  const { timeouts, request_timeout_secs: requestTimeoutSecs } = file
  const requestTimeoutMs = requestTimeoutSecs === undefined ? DEFAULT_TOTAL_MS : requestTimeoutSecs * 1000
  return {
    host: file.host,
    port: file.port,
    workers: pool.map(({ worker }) => worker),
    defaultModel: file.default_model,
    inboundKeyDigest: file.inbound_api_key === undefined ? null : digestOfKey(file.inbound_api_key),
    allowAnonymous: file.allow_anonymous,
    tenants: toTenants(file.api_keys),
    keyValidation: toKeyValidation(file.api_key_validation_urls, file.api_key_validation),
    overload: toOverload(file),
    adminKeys: toAdminKeys(file.admin_api_key, file.admin_api_keys),
    decisionLog: toDecisionLog(file.decision_log),
    routerReplay: toRouterReplay(file.router_replay),
    sharedState: toRedis(file.state),
    traces: toTraces(file.trace_config),
    hasPublicMetrics: file.metrics.public,
    allowedWorkerHosts: file.allowed_worker_hosts,
    allowedServiceHosts: file.allowed_service_hosts,
    configEnv: file.config_env,
    health: toHealth(file.health_check, file.circuit_breaker),
    breaker: toBreaker(file.circuit_breaker, file.disable_circuit_breaker),
    hooks: file.pre_routing_hooks.map(toHook),
    modelRules: file.model_rules.map(toModelRule),
    decisions: toDecisions(file),
    signalRules: signalRulesOf(file),
    signalServers: toSignalServers(file.signal_servers),
    semanticCluster: toSemanticCluster(file, pool),
    responseCache: toResponseCache(file.cache),
    semanticCache: toSemanticCache(file.semantic_cache),
    promptCache: toPromptCache(file.prompt_cache, file.cache?.redis),
    sharedPrefixes: toSharedPrefixes(file.shared_prefix_routing, file.cache?.redis),
    retry: toRetry(file.retry, file.disable_retries),
    hedge: toHedge(file.hedge),
    exposeRoutingHeaders: file.expose_routing_headers,
    workerDisplay: file.worker_display,
    maxPayloadBytes: file.max_payload_size,
    corsAllowedOrigins: [...new Set(file.cors_allowed_origins)],
    forwardHeaders: [...new Set(file.forward_headers)],
    passthroughPaths: [...new Set(file.passthrough_paths)],
    timeouts: {
      connectMs: timeouts.connect,
      firstByteMs: timeouts.first_byte,
      idleMs: timeouts.idle,
      // null is `off`, which is a choice; undefined is none.
      totalMs: timeouts.total === undefined ? requestTimeoutMs : timeouts.total,
    },
    requestBodyMs: timeouts.request_body,
    modelRefreshMs: file.model_refresh_secs * 1000,
    responseTtlMs: file.responses.ttl_secs * 1000,
    logLevel: file.log_level,
    shutdownGraceMs: file.shutdown_grace_secs * 1000,
    fleet: { replicas: file.fleet.replicas, locationHint: file.fleet.location_hint },
  }
}

async function hashOf(settings: Settings, { type, options, schema }: ChosenPolicy): Promise<string> {
  // A changed key is a changed configuration, so keys count, but only as digests.
  const workers = settings.workers.map(async (worker) => ({ ...worker, apiKey: await digestOrNull(worker.apiKey) }))
  const effective = {
    ...settings,
    workers: await Promise.all(workers),
    hooks: await Promise.all(settings.hooks.map(withDigests)),
    semanticCluster: settings.semanticCluster && {
      ...settings.semanticCluster,
      server: await withServerDigest(settings.semanticCluster.server),
    },
    routerReplay: { ...settings.routerReplay, store: await withStoreDigests(settings.routerReplay.store) },
    signalServers: await withSignalServerDigests(settings.signalServers),
    responseCache: await withCacheDigests(settings.responseCache),
    semanticCache: settings.semanticCache && {
      ...(await withCacheDigests(settings.semanticCache)),
      server: await withServerDigest(settings.semanticCache.server),
    },
    promptCache: settings.promptCache && (await withPromptCacheDigests(settings.promptCache)),
    sharedPrefixes: settings.sharedPrefixes && (await withHintDigests(settings.sharedPrefixes)),
    sharedState: await withUrlDigest(settings.sharedState),
    policy: { type, options: await replaceSecrets(schema, options, digest) },
  }
  return digest(canonicalJson(effective))
}

async function withDigests(hook: HookConfig): Promise<HookConfig> {
  const headers = Object.entries(hook.headers).map(async ([name, value]) => [name, await digest(value)] as const)
  return { ...hook, apiKey: await digestOrNull(hook.apiKey), headers: Object.fromEntries(await Promise.all(headers)) }
}

async function withServerDigest(server: EmbeddingServerConfig): Promise<EmbeddingServerConfig> {
  return { ...server, apiKey: await digestOrNull(server.apiKey) }
}

async function withStoreDigests(store: ReplayStoreConfig): Promise<ReplayStoreConfig> {
  const { redis, postgres } = store
  return {
    ...store,
    redis: redis && {
      ...redis,
      url: await digestOrNull(redis.url),
      restUrl: await digestOrNull(redis.restUrl),
      token: await digestOrNull(redis.token),
    },
    postgres: postgres && { ...postgres, url: await digestOrNull(postgres.url) },
  }
}

async function withSignalServerDigests(servers: SignalServersConfig): Promise<SignalServersConfig> {
  const { embedding, ...labels } = servers
  const digested = Object.entries(labels).map(async ([family, server]) => {
    return [family, server && { ...server, apiKey: await digestOrNull(server.apiKey) }] as const
  })
  return {
    ...servers,
    ...Object.fromEntries(await Promise.all(digested)),
    embedding: embedding && { ...embedding, server: await withServerDigest(embedding.server) },
  }
}

async function withCacheDigests<Cache extends ResponseCacheConfig | null>(cache: Cache): Promise<Cache> {
  return cache?.redis ? { ...cache, redis: await withRedisDigests(cache.redis, digest) } : cache
}

async function withPromptCacheDigests(cache: PromptCacheConfig): Promise<PromptCacheConfig> {
  return { ...cache, redis: cache.redis && (await withRedisDigests(cache.redis, digest)) }
}

async function withHintDigests(prefixes: SharedPrefixConfig): Promise<SharedPrefixConfig> {
  const { store } = prefixes
  if (store.kind !== 'redis') return prefixes
  return { ...prefixes, store: { ...store, redis: await withRedisDigests(store.redis, digest) } }
}

async function withUrlDigest(redis: RedisConfig | null): Promise<RedisConfig | null> {
  return redis === null ? null : { ...redis, url: await digest(redis.url) }
}

async function digestOrNull(secret: string | null): Promise<string | null> {
  return secret === null ? null : digest(secret)
}
