// /workers: the pool as it stands, and changes to it. A change is one of the configuration, and goes the same way.

import type { Context } from 'hono'
import * as z from 'zod'
import type { AdminParts } from '../../control/admin-parts.ts'
import { RouterError } from '../../errors/router-error.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import { askWorker } from '../../upstream/probe-request.ts'
import { readAdminJson } from './admin-body.ts'
import { toChange } from './config.ts'
import { findWorker, workerInPath } from './find-worker.ts'
import { toWorkers } from './worker-shape.ts'

/** For the whole answer of a worker. */
const METRICS_TIMEOUT_MS = 5_000

export function listWorkers(admin: AdminParts, context: Context<AppEnv>): Response {
  const workers = toWorkers(admin)
  return context.json({
    workers,
    total: workers.length,
    healthy: workers.filter(({ is_healthy: isHealthy }) => isHealthy).length,
    draining: workers.filter(({ draining }) => draining).length,
  })
}

export function showWorker(admin: AdminParts, context: Context<AppEnv>): Response {
  const { id } = inPath(admin, context)
  return context.json(toWorkers(admin).find((worker) => worker.id === id))
}

/** What a worker is, is judged by the loader of configurations: here it is any map. */
const entrySchema = z.record(z.string(), z.json(), {
  error: 'it must be a map such as {"url": "http://10.0.0.7:8000"}',
})

export async function addWorker(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const entry = await readAdminJson(context, entrySchema)
  return context.json(toChange(await admin.control.addWorker(entry, context.get('admin'))), 201)
}

export async function removeWorker(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const { id } = inPath(admin, context)
  return context.json(toChange(await admin.control.removeWorker(id, context.get('admin'))))
}

/** The worker's own `/metrics`, asked with its key. */
export async function showWorkerMetrics(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const { platform } = admin.parts()
  const worker = inPath(admin, context)
  const outcome = await askWorker(platform, worker, { path: '/metrics', timeoutMs: METRICS_TIMEOUT_MS })
  if (outcome.kind === 'timeout') throw new RouterError('upstream_timeout', 'The worker took longer than five seconds.')
  if (outcome.kind !== 'answer') throw new RouterError('upstream_unreachable', 'The worker could not be reached.')
  if (outcome.text === null) throw new RouterError('upstream_invalid', 'The answer of the worker is too long.')
  return new Response(outcome.text, {
    status: toPlainStatus(outcome.status),
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
  })
}

/** A redirect leads to where no operator meant to go, and some statuses can have no body. */
function toPlainStatus(status: number): number {
  return status === 200 || (status >= 400 && status <= 599) ? status : 502
}

function inPath(admin: AdminParts, context: Context<AppEnv>) {
  return findWorker(admin.parts().config.workers, workerInPath(context.req.raw.url))
}
