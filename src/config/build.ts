// A checked file to the Config the router runs on, and the hash that stands for it on every record.
// Nothing is judged here: what arrives has passed every check.

import { replaceSecretValues } from '../secret.ts'
import { digestOfKey } from '../access/key-digest.ts'
import { toAdminKeys } from './admin-schema.ts'
import { toKeyValidation, toOverload, toTenants } from './caller-schema.ts'
import { toLog } from './log-schema.ts'
import type { Config } from './config.ts'
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
import { toPromptCache } from './prompt-cache-schema.ts'
import { toHedge, toRetry } from './retry-schema.ts'
import { toRouterReplay } from './router-replay-schema.ts'
import { replaceSecrets } from './schema-walk.ts'
import { toSemanticCluster } from './semantic-cluster-schema.ts'
import { toSharedPrefixes } from './shared-prefix-schema.ts'
import { toMetricsPush } from './metrics-schema.ts'
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
    metricsPush: toMetricsPush(file.metrics, file.trace_config.service_name),
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
    log: toLog(file),
    shutdownGraceMs: file.shutdown_grace_secs * 1000,
    fleet: toFleet(file.fleet),
  }
}

function toFleet(fleet: ConfigFile['fleet']): Config['fleet'] {
  return {
    replicas: fleet.replicas,
    shards: fleet.shards,
    tenantShards: fleet.tenant_shards,
    decisionGroups: fleet.decision_groups,
    locationHint: fleet.location_hint,
  }
}

async function hashOf(settings: Settings, { type, options, schema }: ChosenPolicy): Promise<string> {
  // A changed key is a changed configuration, so keys count, but only as digests.
  const policy = { type, options: await replaceSecrets(schema, options, digest) }
  const effective = { ...asMap(await replaceSecretValues(settings, digest)), policy }
  return digest(canonicalJson(effective))
}

function asMap(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}
