// Binds every admin route of the catalogue to its access stage and its handler.

import type { Context, Hono } from 'hono'
import type { AdminParts } from '../../control/admin-parts.ts'
import { RouterError } from '../../errors/router-error.ts'
import { adminAccess } from '../../middleware/admin-access.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import { ADMIN_ROUTES, type AdminRoute, type AdminRouteName } from './catalogue.ts'
import { listVersions, putConfig, reload, rollBack, showConfig } from './config.ts'
import { explainDecision, explainDryRun } from './explain.ts'
import { exportDecisions, listDecisions, showDecision } from './decisions.ts'
import { drain, showDrain, undrain } from './drain.ts'
import { showMetrics } from './metrics.ts'
import { purgeCache } from './purge-cache.ts'
import { replayDecisions } from './replay.ts'
import { aggregateReplays, listReplays, showReplay } from './router-replay.ts'
import { listTenants, showStats } from './stats.ts'
import { addWorker, listWorkers, removeWorker, showWorker, showWorkerMetrics } from './workers.ts'

/** The handler of one route; `context.get('admin')` says whose key it came with. */
export type AdminHandler = (admin: AdminParts, context: Context<AppEnv>) => Response | Promise<Response>

const HANDLERS: Readonly<Record<AdminRouteName, AdminHandler>> = {
  showConfig,
  putConfig,
  listVersions,
  rollBack,
  reload,
  showStats,
  listDecisions,
  exportDecisions,
  showDecision,
  explainDecision,
  explainDryRun,
  replayDecisions,
  listTenants,
  listReplays,
  aggregateReplays,
  showReplay,
  purgeCache,
  drain,
  showDrain,
  undrain,
  listWorkers,
  addWorker,
  showWorker,
  removeWorker,
  showMetrics,
  showWorkerMetrics,
}

/** Adds the routes, and the answer to any other method on their paths; none that leads to workers. */
export function addAdminRoutes(app: Hono<AppEnv>, admin: AdminParts, workerPaths: readonly string[]): void {
  const methods = new Map<string, string[]>()
  for (const [name, route] of Object.entries<AdminRoute>(ADMIN_ROUTES)) {
    if (workerPaths.includes(route.path)) continue
    // The keys of the catalogue are the names of its routes.
    const handler = HANDLERS[name as AdminRouteName]
    app.on(route.method, route.path, adminAccess(admin, route), (context) => handler(admin, context))
    methods.set(route.path, [...(methods.get(route.path) ?? []), route.method])
  }
  for (const [path, allow] of methods) {
    app.all(path, () => {
      throw new RouterError('method_not_allowed', `This path takes ${allow.join(', ')} only.`, { allow })
    })
  }
}
