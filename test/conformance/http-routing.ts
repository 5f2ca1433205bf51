// Policies as a client, the workers and the records see them: each by its name in the configuration, over HTTP.

import { describe } from 'vitest'
import type { RuntimeName } from '../support/launch.ts'
import { cacheRouting, hedgedCacheRouting } from './http-cache-aware.ts'
import { affinityRouting } from './http-routing-affinity.ts'
import { fleetChanges } from './http-routing-changes.ts'
import { loadRouting } from './http-routing-load.ts'
import { turnRouting } from './http-routing-turns.ts'

export function routingConformance(runtime: RuntimeName): void {
  describe(`routing on ${runtime}`, () => {
    turnRouting(runtime)
    loadRouting(runtime)
    affinityRouting(runtime)
    fleetChanges(runtime)
    cacheRouting(runtime)
    hedgedCacheRouting(runtime)
  })
}
