// The admin API as an operator sees it.

import type { RuntimeName } from '../support/launch.ts'
import { adminAccessConformance } from './http-admin-access.ts'
import { adminBodiesConformance } from './http-admin-bodies.ts'
import { adminConfigConformance } from './http-admin-config.ts'
import { adminDrainConformance } from './http-admin-drain.ts'
import { adminFileConformance } from './http-admin-file.ts'
import { adminLoadConformance } from './http-admin-load.ts'
import { adminLogConformance } from './http-admin-log.ts'
import { adminReachConformance } from './http-admin-reach.ts'
import { adminSecretsConformance } from './http-admin-secrets.ts'
import { adminWorkersConformance } from './http-admin-workers.ts'

export function adminConformance(runtime: RuntimeName): void {
  adminAccessConformance(runtime)
  adminConfigConformance(runtime)
  adminBodiesConformance(runtime)
  adminWorkersConformance(runtime)
  adminDrainConformance(runtime)
  adminReachConformance(runtime)
  adminSecretsConformance(runtime)
  adminLoadConformance(runtime)
  // Workers have no files: there the bundled document takes the place of one (test/workerd/config.test.ts).
  if (runtime === 'workerd') return
  adminFileConformance(runtime)
  adminLogConformance(runtime)
}
