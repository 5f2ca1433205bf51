// /admin/stats, /admin/decisions and /admin/tenants: what the router has done since it started.

import type { Context } from 'hono'
import type { TenantConfig } from '../../config/config.ts'
import type { AdminParts } from '../../control/admin-parts.ts'
import { RouterError } from '../../errors/router-error.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import type { DecisionLogStatus } from '../../store/decision-log.ts'
import { ROUTER_VERSION } from '../../version.ts'
import { toWorkers } from './worker-shape.ts'

const MAX_DECISIONS = 1_000
const DEFAULT_DECISIONS = 50

export async function showStats(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const { config, platform, mirror } = admin.parts()
  const workers = toWorkers(admin)
  const { source, ageMs } = mirror.view()
  const decisionLog = await admin.decisions.status()
  return context.json({
    version: ROUTER_VERSION,
    covers: coverage(admin),
    uptime_secs: Math.floor((platform.now() - admin.startedAtMs) / 1000),
    config_hash: config.hash,
    // No cache is built yet; the fields are there for programs that read them.
    cache: { backend: 'none', exact_entries: 0, semantic_entries: 0 },
    workers: {
      total: workers.length,
      healthy: workers.filter(({ is_healthy: isHealthy }) => isHealthy).length,
      draining: workers.filter(({ draining }) => draining).length,
    },
    policies: { default: config.policy.name, per_model: {} },
    decisions_logged: decisionLog.stored,
    decision_log: toDecisionLog(decisionLog),
    tenants: { count: config.tenants.length, entries: config.tenants.map((tenant) => toTenant(admin, tenant)) },
    in_flight: mirror.inFlight(),
    fleet: { source, age_ms: Math.round(ageMs) },
    counters: admin.counts(),
  })
}

/** Newest first. */
export async function listDecisions(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const limit = context.req.query('limit') ?? String(DEFAULT_DECISIONS)
  if (!/^\d{1,9}$/.test(limit) || Number(limit) < 1 || Number(limit) > MAX_DECISIONS) {
    throw new RouterError('invalid_request', `\`limit\` must be a whole number from 1 to ${MAX_DECISIONS}.`, {
      param: 'limit',
    })
  }
  const { records } = await admin.decisions.query({ filters: {}, after: null, limit: Number(limit) })
  return context.json({ covers: coverage(admin), decisions: records })
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

/** Whose doings are counted here: one isolate's where there are many. */
function coverage({ isOneOfMany }: AdminParts): 'process' | 'isolate' {
  return isOneOfMany ? 'isolate' : 'process'
}
