// The admin API as an operator sees it.

import type { RuntimeName } from '../support/launch.ts'
import { adminAccessConformance } from './http-admin-access.ts'
import { adminConfigConformance } from './http-admin-config.ts'
import { adminFileConformance } from './http-admin-file.ts'
import { adminLoadConformance } from './http-admin-load.ts'
import { adminSecretsConformance } from './http-admin-secrets.ts'
import { adminWorkersConformance } from './http-admin-workers.ts'

export function adminConformance(runtime: RuntimeName): void {
  adminAccessConformance(runtime)
  adminConfigConformance(runtime)
  adminWorkersConformance(runtime)
  adminSecretsConformance(runtime)
  adminLoadConformance(runtime)
  // Workers have no file: there the bundled document takes its place (test/workerd/config.test.ts).
  if (runtime !== 'workerd') adminFileConformance(runtime)
}
