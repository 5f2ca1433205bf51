// /admin/stats and /admin/tenants: what the router has done since it started.

import type { Context } from 'hono'
import type { TenantConfig } from '../../config/config.ts'
import type { AdminParts } from '../../control/admin-parts.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import type { DecisionLogStatus } from '../../store/decision-log.ts'
import type { ReferenceStatus } from '../../upstream/reference-vectors.ts'
import { ROUTER_VERSION } from '../../version.ts'
import { toCaches } from './cache-shape.ts'
import { toLmcache } from './lmcache-shape.ts'
import { toWorkers } from './worker-shape.ts'

export async function showStats(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const { config, platform, mirror, signalServers, clusters } = admin.parts()
  const workers = toWorkers(admin)
  const { source, ageMs } = mirror.view()
  const decisionLog = await admin.decisions.status()
  return context.json({
    version: ROUTER_VERSION,
    covers: coverage(admin),
    uptime_secs: Math.floor((platform.now() - admin.startedAtMs) / 1000),
    config_hash: config.hash,
    cache: toCaches(admin.parts()),
    workers: {
      total: workers.length,
      healthy: workers.filter(({ is_healthy: isHealthy }) => isHealthy).length,
      draining: workers.filter(({ draining }) => draining).length,
    },
    policies: { default: config.policy.name, per_model: {} },
    decisions_logged: decisionLog.stored,
    decision_log: toDecisionLog(decisionLog),
    router_replay: toRouterReplay(admin),
    ...embeddingSignals(signalServers.status()),
    ...(clusters === null ? {} : { semantic_cluster: toReferences(clusters.status()) }),
    tenants: { count: config.tenants.length, entries: config.tenants.map((tenant) => toTenant(admin, tenant)) },
    in_flight: mirror.inFlight(),
    fleet: { source, age_ms: Math.round(ageMs), ...roleOf(platform.fleetRole ?? null) },
    ...lmcacheOf(admin),
    counters: admin.counts(),
  })
}

/** Where the policy wants something of LMCache. */
function lmcacheOf(admin: AdminParts) {
  const lmcache = toLmcache(admin.parts())
  return lmcache === null ? {} : { lmcache }
}

export function listTenants(admin: AdminParts, context: Context<AppEnv>): Response {
  const { tenants } = admin.parts().config
  const hint = tenants.length === 0 ? { message: 'No tenants are configured; see api_keys.' } : {}
  return context.json({ covers: coverage(admin), tenants: tenants.map((tenant) => toTenant(admin, tenant)), ...hint })
}

function toTenant(admin: AdminParts, tenant: TenantConfig) {
  const { requests, rateLimited, inFlight } = admin.tenantCounts(tenant.name)
  return {
    name: tenant.name,
    enabled: tenant.isEnabled,
    rate_limit_rps: tenant.rateLimitRps,
    max_concurrent: tenant.maxConcurrent,
    tokens_per_minute: tenant.tokensPerMinute,
    allowed_models: tenant.allowedModels,
    weight: tenant.weight,
    total_requests: requests,
    total_rate_limited: rateLimited,
    in_flight: inFlight,
    ...remainingOf(admin, tenant.name),
    metadata: tenant.metadata,
  }
}

/** What its limits leave, where it has any and has called here. */
function remainingOf(admin: AdminParts, name: string) {
  const use = admin.parts().limits.use(name)
  if (use === null) return {}
  const left = Object.entries(use.standing).map(([meter, { remaining }]) => [meter, remaining] as const)
  return { remaining: Object.fromEntries(left) }
}

function toDecisionLog({ kind, stored, exported, waiting, lagMs, lost, failing }: DecisionLogStatus) {
  return { kind, stored, exported, waiting, lag_ms: lagMs, lost, failing }
}

function toRouterReplay({ replays }: AdminParts) {
  const status = replays.status()
  if (status === null) return { enabled: false }
  const { backend, ...counts } = status
  return { enabled: true, store_backend: backend, ...counts }
}

function embeddingSignals(status: ReferenceStatus | null) {
  return status === null ? {} : { embedding_signals: toReferences(status) }
}

/** How it stands with vectors that requests are compared with. */
function toReferences({ state, dimensions, refused, why }: ReferenceStatus) {
  return { state, dimensions, refused_examples: refused, why }
}

/** Where several processes are one fleet through Redis: what this one is in it, `alone` while it can't be reached. */
function roleOf(role: (() => string) | null) {
  return role === null ? {} : { role: role() }
}

/** Whose doings are counted here: one isolate's where there are many. */
function coverage({ isOneOfMany }: AdminParts): 'process' | 'isolate' {
  return isOneOfMany ? 'isolate' : 'process'
}
