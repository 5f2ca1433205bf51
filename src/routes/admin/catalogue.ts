// Every admin route, as data: what it takes, and which scopes open it (any one of them does).

import type { AdminScope } from '../../access/admin-scopes.ts'
import type { Config } from '../../config/config.ts'

export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly scopes: readonly AdminScope[]
  /** Whether the configuration opens it to everybody. */
  isPublic?(config: Config): boolean
}

const READ: readonly AdminScope[] = ['read']
/** Bodies are in the answers for the last of them alone. */
const REPLAYS: readonly AdminScope[] = ['replay.read', 'read', 'replay.detail']
const CACHE: readonly AdminScope[] = ['cache']
const DRAIN: readonly AdminScope[] = ['drain']
const CONFIG: readonly AdminScope[] = ['config']
const WORKERS: readonly AdminScope[] = ['workers']
/** Whoever may move workers may see them. */
const SEE_WORKERS: readonly AdminScope[] = ['read', 'drain', 'workers']

export const ADMIN_ROUTES = {
  showConfig: { method: 'GET', path: '/admin/config', scopes: READ },
  putConfig: { method: 'PUT', path: '/admin/config', scopes: CONFIG },
  listVersions: { method: 'GET', path: '/admin/config/versions', scopes: READ },
  rollBack: { method: 'POST', path: '/admin/config/rollback', scopes: CONFIG },
  reload: { method: 'POST', path: '/admin/reload', scopes: CONFIG },
  showStats: { method: 'GET', path: '/admin/stats', scopes: READ },
  listDecisions: { method: 'GET', path: '/admin/decisions', scopes: READ },
  exportDecisions: { method: 'GET', path: '/admin/decisions.jsonl', scopes: READ },
  showDecision: { method: 'GET', path: '/admin/decisions/:id', scopes: READ },
  explainDecision: { method: 'GET', path: '/admin/explain/:id', scopes: READ },
  explainDryRun: { method: 'POST', path: '/admin/explain', scopes: READ },
  /** A configuration says more than decisions do: what it resolves variables to shows in the names of its workers. */
  replayDecisions: { method: 'POST', path: '/admin/replay', scopes: CONFIG },
  listTenants: { method: 'GET', path: '/admin/tenants', scopes: READ },
  listReplays: { method: 'GET', path: '/v1/router_replay', scopes: REPLAYS },
  aggregateReplays: { method: 'GET', path: '/v1/router_replay/aggregate', scopes: REPLAYS },
  showReplay: { method: 'GET', path: '/v1/router_replay/:id', scopes: REPLAYS },
  purgeCache: { method: 'POST', path: '/admin/cache/purge', scopes: CACHE },
  drain: { method: 'POST', path: '/admin/drain', scopes: DRAIN },
  showDrain: { method: 'GET', path: '/admin/drain/status', scopes: SEE_WORKERS },
  undrain: { method: 'POST', path: '/admin/undrain', scopes: DRAIN },
  listWorkers: { method: 'GET', path: '/workers', scopes: SEE_WORKERS },
  addWorker: { method: 'POST', path: '/workers', scopes: WORKERS },
  showWorker: { method: 'GET', path: '/workers/:id', scopes: SEE_WORKERS },
  removeWorker: { method: 'DELETE', path: '/workers/:id', scopes: WORKERS },
  showMetrics: {
    method: 'GET',
    path: '/metrics',
    scopes: READ,
    isPublic: ({ hasPublicMetrics }: Config) => hasPublicMetrics,
  },
  showWorkerMetrics: { method: 'GET', path: '/workers/:id/metrics', scopes: READ },
} as const satisfies Record<string, AdminRoute>

export type AdminRouteName = keyof typeof ADMIN_ROUTES

/** Whether a path belongs to operators, known or not. Access does not hang on it: each route has a stage of its own. */
export function isAdminPath(path: string): boolean {
  return /^\/(?:admin|workers|metrics|v1\/router_replay)(?:\/|$)/.test(path)
}
