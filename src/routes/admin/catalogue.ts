// Every admin route, as data: what it takes, and which scopes open it (any one of them does).

import type { AdminScope } from '../../access/admin-scopes.ts'

export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly scopes: readonly AdminScope[]
}

const READ: readonly AdminScope[] = ['read']
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
  listTenants: { method: 'GET', path: '/admin/tenants', scopes: READ },
  drain: { method: 'POST', path: '/admin/drain', scopes: DRAIN },
  showDrain: { method: 'GET', path: '/admin/drain/status', scopes: SEE_WORKERS },
  undrain: { method: 'POST', path: '/admin/undrain', scopes: DRAIN },
  listWorkers: { method: 'GET', path: '/workers', scopes: SEE_WORKERS },
  addWorker: { method: 'POST', path: '/workers', scopes: WORKERS },
  showWorker: { method: 'GET', path: '/workers/:id', scopes: SEE_WORKERS },
  removeWorker: { method: 'DELETE', path: '/workers/:id', scopes: WORKERS },
  showWorkerMetrics: { method: 'GET', path: '/workers/:id/metrics', scopes: READ },
} as const satisfies Record<string, AdminRoute>

export type AdminRouteName = keyof typeof ADMIN_ROUTES

/** Whether a path belongs to operators, known or not. Access does not hang on it: each route has a stage of its own. */
export function isAdminPath(path: string): boolean {
  return /^\/(?:admin|workers)(?:\/|$)/.test(path)
}
