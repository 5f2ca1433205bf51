// Cloudflare Workers: the fetch handler and the classes of its objects over one configuration.

import { isLoopbackHost } from '../access/loopback.ts'
import type { Config } from '../config/config.ts'
import type { DeliveredBeside } from '../config/delivered-checks.ts'
import { errorAt, type Finding } from '../config/finding.ts'
import { loadConfig, type LoadResult } from '../config/load.ts'
import { KV_BINDING } from '../config/response-cache-schema.ts'
import type { ConfigSource } from '../control/config-source.ts'
import { RouterError } from '../errors/router-error.ts'
import { wantsKeys } from '../pipeline/callers.ts'
import type { Platform } from '../platform.ts'
import { createRandomIds } from '../random-ids.ts'
import { assembleRouter, type Router } from '../router.ts'
import { definitionsOf } from '../routing/definitions-of.ts'
import { policyRegistry } from '../routing/policies/index.ts'
import type { PolicyDefinition, PolicyRegistry } from '../routing/policy.ts'
import { createDurableLimitStore, type TenantStub } from '../store/durable-limits.ts'
import { createDurableFleetCounts } from '../store/durable-fleet-counts.ts'
import { createDurablePrefixHints } from '../store/durable-prefix-hints.ts'
import { createDurableVectors } from '../store/durable-vectors.ts'
import { createDurableFleetStore, type FleetStub, rootName } from '../store/durable-object.ts'
import { placeAmong } from '../store/isolate-place.ts'
import { toEntry } from '../observe/log/entry.ts'
import { type ConfigStub, createCloudflareConfigStore } from './cloudflare-config-store.ts'
import { DecisionLog } from './cloudflare-decision-log.ts'
import { decisionLogOf } from './cloudflare-decisions.ts'
import { outgoing, type RouterEnv } from './cloudflare-env.ts'
import { consoleLog, requestLog } from './cloudflare-console.ts'
import { createFleetClass } from './cloudflare-fleet.ts'
import { ReplayLog } from './cloudflare-replay-log.ts'
import { type BroughtReplayStore, replayPlatformOf, replayStoreOf } from './cloudflare-replays.ts'
import { toRefusal } from './cloudflare-refusal.ts'
import { TenantLimits } from './cloudflare-tenant.ts'

/** Cloudflare's own limit is 100 MB on most plans, and an isolate has 128 MB for everything. */
const MAX_PAYLOAD_BYTES = 32 * 1024 * 1024

/** How long a refused configuration is not looked at again. */
const REFUSAL_MS = 5_000

/** The pool that a Worker's isolates share. */
const POOL = 'default'

export interface CreateWorkerOptions {
  /** The configuration as YAML text; the variable `ROUTER_CONFIG` takes its place where it is set. */
  readonly config: string
  /** Policies beyond the built-in ones, by the name YAML uses. */
  readonly policies?: Record<string, PolicyDefinition>
  /** Where else Router Replay can keep records: vllm-edge-router/cloudflare-redis and /cloudflare-postgres have some. */
  readonly replayStores?: readonly BroughtReplayStore[]
}

/** The policies that plugin modules export, by name, for `createWorker`. */
export function policiesOf(modules: readonly Readonly<Record<string, unknown>>[]): Record<string, PolicyDefinition> {
  return Object.fromEntries(modules.flatMap(definitionsOf).map((definition) => [definition.name, definition]))
}

/**
 * What a Worker's entry exports: `export default worker.handler`, and each class of objects under its name, such as
 * `export const Fleet = worker.Fleet`.
 */
export function createWorker(options: CreateWorkerOptions) {
  const built: Built = { policies: policyRegistry(options.policies), replayStores: options.replayStores ?? [] }
  const textOf = (env: RouterEnv) => env.ROUTER_CONFIG ?? options.config
  // Settled values only: on workerd a request may not wait for a promise that another request made.
  const routers = new WeakMap<RouterEnv, Router>()
  let refusal: { readonly error: RouterError; readonly atMs: number } | null = null

  /** A configuration that can't be used stays so for a while: loading it, and its log, must not be had per request. */
  async function routerFor(env: RouterEnv): Promise<Router> {
    const known = routers.get(env)
    if (known !== undefined) return known
    if (refusal !== null && Date.now() - refusal.atMs < REFUSAL_MS) throw refusal.error
    try {
      const router = await startRouter(env, textOf(env), built)
      routers.set(env, router)
      return router
    } catch (error) {
      if (error instanceof RouterError) refusal = { error, atMs: Date.now() }
      throw error
    }
  }

  async function fetch(request: Request, env: RouterEnv, context: ExecutionContext): Promise<Response> {
    try {
      const router = await routerFor(env)
      const answer = router
        .fetch(request, { waitUntil: (task) => context.waitUntil(task), rawTarget: null })
        .catch((error: unknown) => toRefusal(request, error, consoleLog(env)))
      // A client that leaves before the answer takes this invocation with it, unless something is still waited for: the
      // worker's request would be aborted, and no record written.
      context.waitUntil(answer)
      return await answer
    } catch (error) {
      return toRefusal(request, error, consoleLog(env))
    }
  }
  const Fleet = createFleetClass((env, text) => loadOrRefuse(env, text ?? textOf(env), built))
  return { handler: { fetch }, Fleet, TenantLimits, DecisionLog, ReplayLog }
}

/** What an entry has put into its Worker. */
interface Built {
  readonly policies: PolicyRegistry
  readonly replayStores: readonly BroughtReplayStore[]
}

/** A router on the configuration that was deployed; it asks for the one that was agreed on before its first request. */
async function startRouter(env: RouterEnv, text: string, built: Built): Promise<Router> {
  const config = await loadOrRefuse(env, text, built, { tellsWarnings: env.ROUTER_SERVE !== 'local' })
  let current = config
  const root = () => fleetObject(env, config, rootName(POOL))
  const source: ConfigSource = {
    store: createCloudflareConfigStore({ root, documents: env.CONFIG ?? null, bundled: { text, hash: config.hash } }),
    start: null,
    load: (given, besides) => loadText(env, given, built, besides),
  }
  const onConfig = (next: Config) => {
    current = next
  }
  return assembleRouter(
    config,
    platformOf(env, () => current),
    {
      source,
      onConfig,
      decisionLog: decisionLogOf(env, POOL, () => current),
      openReplayStore: replayStoreOf(env, POOL, built.replayStores),
    },
  )
}

async function loadText(
  env: RouterEnv,
  text: string,
  { policies, replayStores }: Built,
  besides: DeliveredBeside | null,
): Promise<LoadResult> {
  const result = await loadConfig(text, {
    env: (name) => (typeof env[name] === 'string' ? env[name] : undefined),
    policies,
    showsConnectPhase: false,
    hasSockets: false,
    kvNamespaces: env.RESPONSE_CACHE === undefined ? [] : [KV_BINDING],
    replayPlatform: replayPlatformOf(env, replayStores),
    ...(besides === null ? {} : { besides }),
  })
  if (!result.ok || env.ROUTER_SERVE === 'local' || wantsKeys(result.config) || result.config.allowAnonymous)
    return result
  const findings = result.place([errorAt(['inbound_api_key'], NO_ACCESS)])
  return { ok: false, findings }
}

const NO_ACCESS = 'is not set, and neither is `allow_anonymous: true`: a deployed router would refuse all requests'

/** Throws what a request is answered with while there is no configuration to serve it under. */
async function loadOrRefuse(
  env: RouterEnv,
  text: string,
  built: Built,
  { tellsWarnings = false }: { readonly tellsWarnings?: boolean } = {},
): Promise<Config> {
  const result = await loadText(env, text, built, null)
  if (result.ok) {
    // Under `serve` whoever started it has seen them.
    if (tellsWarnings) tellFindings(env, result.findings)
    return result.config
  }
  if (result.findings.every(({ message }) => message === NO_ACCESS)) {
    throw new RouterError(
      'access_not_configured',
      'This router is deployed without a key and refuses all requests: set `api_keys`, `inbound_api_key` or ' +
        '`api_key_validation_urls`, or `allow_anonymous: true`.',
    )
  }
  tellFindings(env, result.findings)
  throw new RouterError('config_invalid', 'The configuration of this router is not valid; its log says why.')
}

function tellFindings(env: RouterEnv, findings: readonly Finding[]): void {
  const log = consoleLog(env)
  for (const { severity, ...finding } of findings) log(toEntry(Date.now(), LEVELS[severity], 'config', finding))
}

const LEVELS = { error: 'error', warning: 'warn', note: 'info' } as const

function fleetObject(env: RouterEnv, config: Config, name: string): FleetStub & ConfigStub {
  const { locationHint } = config.fleet
  // The schema allows Cloudflare's hints only.
  const hint = locationHint === null ? {} : { locationHint: locationHint as DurableObjectLocationHint }
  // The namespace's own type carries RPC wrappers that say the same less readably.
  return env.FLEET.get(env.FLEET.idFromName(name), hint) as unknown as FleetStub & ConfigStub
}

function tenantObject(env: RouterEnv, { fleet: { locationHint } }: Config, name: string): TenantStub {
  if (env.TENANTS === undefined) throw new Error('the binding TENANTS is missing: see wrangler.toml')
  // The schema allows Cloudflare's hints only.
  const hint = locationHint === null ? {} : { locationHint: locationHint as DurableObjectLocationHint }
  // The namespace's own type carries RPC wrappers that say the same less readably.
  return env.TENANTS.get(env.TENANTS.idFromName(name), hint) as unknown as TenantStub
}

function platformOf(env: RouterEnv, config: () => Config): Platform {
  const place = Math.random()
  return {
    ...outgoing(env),
    fleet: createDurableFleetStore({
      namespace: (name) => fleetObject(env, config(), name),
      pool: POOL,
      replica: () => placeAmong(place, config().fleet.replicas).index,
      shards: () => config().fleet.shards,
    }),
    ...(env.ANALYTICS === undefined ? {} : { analytics: env.ANALYTICS }),
    fleetCounts: createDurableFleetCounts({ namespace: (name) => fleetObject(env, config(), name), pool: POOL }),
    prefixHints: createDurablePrefixHints({
      namespace: (name) => fleetObject(env, config(), name),
      pool: POOL,
      shards: () => config().fleet.shards,
    }),
    vectorStore: createDurableVectors({ namespace: (name) => fleetObject(env, config(), name), pool: POOL }),
    limits: createDurableLimitStore({
      namespace: (name) => tenantObject(env, config(), name),
      pool: POOL,
      place: () => placeAmong(place, config().fleet.tenantShards),
    }),
    ...(env.RESPONSE_CACHE === undefined ? {} : { answerNamespace: env.RESPONSE_CACHE }),
    random: () => Math.random(),
    randomId: createRandomIds(),
    writeLog: requestLog(env),
    showsConnectPhase: false,
    // Under `serve` as elsewhere; a deployed Worker answers the whole world.
    adminOpenTo: env.ROUTER_SERVE === 'local' && isLoopbackHost(env.ROUTER_HOST ?? '') ? 'loopback' : 'nobody',
    // On workerd a promise that another request settles may never wake the one that waits for it.
    wakesAcrossRequests: false,
    // workerd says the same words for refused, reset and closed, so nothing is surely unsent.
    classifySendError: () => ({ phase: 'maybe_sent', reason: 'network' }),
    defaultMaxPayloadBytes: MAX_PAYLOAD_BYTES,
  }
}
