// /admin/drain: takes a worker out without cutting what it does, says how far that is, and puts it back.

import type { Context } from 'hono'
import * as z from 'zod'
import type { AdminParts } from '../../control/admin-parts.ts'
import { RouterError } from '../../errors/router-error.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import { readAdminJson } from './admin-body.ts'
import { findWorker, type WorkerName } from './find-worker.ts'
import { type ShownWorker, toWorkers } from './worker-shape.ts'

const workerNameShape = { id: z.string().optional(), url: z.string().optional() }

const drainSchema = z.strictObject({
  ...workerNameShape,
  timeout_secs: z
    .number()
    .min(0, { error: 'it must be zero or more' })
    .max(86_400, { error: 'it must be at most a day' })
    .default(300),
})

/** No new requests for the worker; those it has may end, and after the timeout it counts as taken out with them. */
export async function drain(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const { timeout_secs: timeoutSecs, ...name } = await readAdminJson(context, drainSchema)
  const { config, platform } = admin.parts()
  const { id, url } = findWorker(config.workers, name)
  await told(admin, platform.fleet.drain(id, platform.now() + timeoutSecs * 1000))
  // One that has been parked already stays so; a copy that lags behind shows neither yet.
  const status = find(admin, { id }).drain?.state ?? 'draining'
  return context.json({ status, id, url, timeout_secs: timeoutSecs }, 202)
}

export async function undrain(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  const name = await readAdminJson(context, z.strictObject(workerNameShape))
  const { config, platform } = admin.parts()
  const { id, url } = findWorker(config.workers, name)
  await told(admin, platform.fleet.undrain(id))
  return context.json({ status: 'active', id, url })
}

/** Waits until the fleet has the order, and this router what came of it. */
async function told(admin: AdminParts, order: Promise<void>): Promise<void> {
  try {
    await order
  } catch (cause) {
    admin.parts().events.fleetSyncFailed(cause)
    const message = 'The state of the fleet can not be reached at the moment, so nothing was changed; the log says why.'
    throw new RouterError('fleet_unavailable', message, { cause, retryAfterSeconds: 2 })
  }
  await admin.catchUp()
}

export function showDrain(admin: AdminParts, context: Context<AppEnv>): Response {
  const { id, url } = context.req.query()
  const worker = find(admin, { id, url })
  const { drain: state } = worker
  return context.json({
    id: worker.id,
    url: worker.url,
    draining: worker.draining,
    current_load: worker.load,
    healthy: worker.is_healthy,
    state: state?.state ?? 'active',
    since: state?.since ?? null,
    deadline: state?.deadline ?? null,
    left_running: state?.left_running ?? null,
  })
}

function find(admin: AdminParts, name: WorkerName): ShownWorker {
  const { id } = findWorker(admin.parts().config.workers, name)
  return toWorkers(admin).find((worker) => worker.id === id) as ShownWorker // both lists are of one configuration
}
