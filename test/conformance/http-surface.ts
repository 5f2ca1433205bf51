// The HTTP surface as a caller sees it: every route, what it refuses and how it says so, models, probes and access.

import type { RuntimeName } from '../support/launch.ts'
import { accessConformance } from './http-access.ts'
import { pathConformance } from './http-paths.ts'
import { routesConformance } from './http-routes.ts'

export function surfaceConformance(runtime: RuntimeName): void {
  routesConformance(runtime)
  accessConformance(runtime)
  pathConformance(runtime)
}
