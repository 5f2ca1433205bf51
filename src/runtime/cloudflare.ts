// Cloudflare Workers: the fetch handler and the `Fleet` class over one configuration.

import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { definitionsOf } from '../routing/definitions-of.ts'
import { RouterError } from '../errors/router-error.ts'
import { assembleRouter, type Router } from '../router.ts'
import { policyRegistry } from '../routing/policies/index.ts'
import type { PolicyDefinition } from '../routing/policy.ts'
import { createDurableFleetStore, type FleetStub } from '../store/durable-object.ts'
import { outgoing, type RouterEnv } from './cloudflare-env.ts'
import { createFleetClass } from './cloudflare-fleet.ts'
import { toRefusal } from './cloudflare-refusal.ts'

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
}

/** The policies that plugin modules export, by name, for `createWorker`. */
export function policiesOf(modules: readonly Readonly<Record<string, unknown>>[]): Record<string, PolicyDefinition> {
  return Object.fromEntries(modules.flatMap(definitionsOf).map((definition) => [definition.name, definition]))
}

/** The two exports of a Worker's entry: `export default worker.handler` and `export const Fleet = worker.Fleet`. */
export function createWorker(options: CreateWorkerOptions) {
  const load = (env: RouterEnv) => loadWorkerConfig(options, env)
  // Settled values only: on workerd a request may not wait for a promise that another request made.
  const routers = new WeakMap<RouterEnv, Router>()
  let refusal: { readonly error: RouterError; readonly atMs: number } | null = null

  /** A configuration that can't be used stays so for a while: loading it, and its log, must not be had per request. */
  async function routerFor(env: RouterEnv): Promise<Router> {
    const known = routers.get(env)
    if (known !== undefined) return known
    if (refusal !== null && Date.now() - refusal.atMs < REFUSAL_MS) throw refusal.error
    try {
      const config = await load(env)
      const router = assembleRouter(config, platformOf(env, config))
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
      const answer = router.fetch(request, { waitUntil: (task) => context.waitUntil(task), rawTarget: null })
      // A client that leaves before the answer takes this invocation with it, unless something is still waited for: the
      // worker's request would be aborted, and no record written.
      context.waitUntil(answer)
      return await answer
    } catch (error) {
      return toRefusal(request, error)
    }
  }
  return { handler: { fetch }, Fleet: createFleetClass(load) }
}

async function loadWorkerConfig(options: CreateWorkerOptions, env: RouterEnv): Promise<Config> {
  const result = await loadConfig(env.ROUTER_CONFIG ?? options.config, {
    env: (name) => (typeof env[name] === 'string' ? env[name] : undefined),
    policies: policyRegistry(options.policies),
    showsConnectPhase: false,
  })
  if (!result.ok) {
    for (const finding of result.findings)
      console.error(JSON.stringify({ level: 'error', event: 'config', ...finding }))
    throw new RouterError('config_invalid', 'The configuration of this router is not valid; its log says why.')
  }
  const { inboundKeyDigest, allowAnonymous } = result.config
  if (inboundKeyDigest === null && !allowAnonymous && env.ROUTER_SERVE !== 'local') {
    throw new RouterError(
      'access_not_configured',
      'This router is deployed without a key and refuses all requests: set `inbound_api_key`, or `allow_anonymous: true`.',
    )
  }
  return result.config
}

function platformOf(env: RouterEnv, config: Config) {
  const { replicas, locationHint } = config.fleet
  // The schema allows Cloudflare's hints only.
  const hint = locationHint === null ? {} : { locationHint: locationHint as DurableObjectLocationHint }
  return {
    ...outgoing(env),
    fleet: createDurableFleetStore({
      // The namespace's own type carries RPC wrappers that say the same less readably.
      namespace: (name) => env.FLEET.get(env.FLEET.idFromName(name), hint) as unknown as FleetStub,
      pool: POOL,
      replica: Math.floor(Math.random() * replicas),
    }),
    random: () => Math.random(),
    randomId: () => crypto.randomUUID().replaceAll('-', ''),
    writeLine: (line: string) => console.log(line),
    showsConnectPhase: false,
    // workerd says the same words for refused, reset and closed, so nothing is surely unsent.
    classifySendError: () => ({ phase: 'maybe_sent' as const, reason: 'network' }),
    defaultMaxPayloadBytes: MAX_PAYLOAD_BYTES,
  }
}
