// Probes of the router itself. None of them names a worker: they are open to anybody who can reach the port.

import type { Context } from 'hono'
import type { Config } from '../config/config.ts'
import type { AppEnv } from '../middleware/app-env.ts'
import { ruledTarget } from '../pipeline/model-aliases.ts'
import type { WorkerStatus } from '../store/worker-status.ts'
import { ROUTER_VERSION } from '../version.ts'

/** The router serves requests. */
export function health(context: Context<AppEnv>): Response {
  const sight = context.env.parts.lmcache?.lookups?.sight.judge.sight()
  // A control plane that is blind costs the cache's help and no request, so that the router is well in either case.
  return context.json({ status: 'ok', ...(sight === undefined ? {} : { lmcache: sight.state }) })
}

/** The process lives. */
export function liveness(context: Context<AppEnv>): Response {
  return context.text('OK')
}

export function version(context: Context<AppEnv>): Response {
  return context.json({ name: 'vllm-edge-router', version: ROUTER_VERSION })
}

/** Ready when every configured model (or, with none configured, the fleet) has a worker that can answer. */
export async function readiness(context: Context<AppEnv>): Promise<Response> {
  const { parts, exchange } = context.env
  const { config, mirror } = parts
  const freshened = mirror.ensureFresh(exchange.context.waitUntil, null)
  if (freshened !== null) await freshened
  const up = new Set(mirror.workers().flatMap((worker) => (answers(worker) ? [worker.id] : [])))
  const served = new Set([...up].flatMap((workerId) => [...(mirror.modelsOf(workerId) ?? [])]))
  const configured = new Set(config.workers.flatMap((worker) => worker.models ?? []))
  if (config.defaultModel !== null) configured.add(behind(config, config.defaultModel, served))
  const missing = [...configured].filter((model) => !served.has(model))
  const counts = { healthy_workers: up.size, total_workers: config.workers.length }
  if (parts.isDraining()) return notReady(context, 'shutting down', counts)
  if (up.size === 0) return notReady(context, 'no worker answers', counts)
  if (missing.length > 0) return notReady(context, `no worker for: ${missing.join(', ')}`, counts)
  return context.json({ status: 'ready', ...counts })
}

/** One that has more to do than it can take is no reason to send requests to another router. */
function answers({ availability, reason }: WorkerStatus): boolean {
  return availability === 'up' || (availability === 'suspect' && reason === 'busy')
}

/** The model that a request for `name` is routed to. */
function behind(config: Config, name: string, served: ReadonlySet<string>): string {
  const isAvailable = (model: string) => served.has(model)
  return ruledTarget(config, name, { header: () => null, tenant: null, isAvailable }) ?? name
}

function notReady(context: Context<AppEnv>, reason: string, counts: Readonly<Record<string, number>>): Response {
  return context.json({ status: 'not_ready', reason, ...counts }, 503)
}
