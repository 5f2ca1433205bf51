// Pre-routing hooks against a real service: each outcome under each setting, every route, and how calls are made.

import { describe } from 'vitest'
import type { RuntimeName } from '../support/launch.ts'
import { hookCalls } from './http-hook-calls.ts'
import { hookOutcomes } from './http-hook-outcomes.ts'
import { hookRoutes } from './http-hook-routes.ts'

export function hooksConformance(runtime: RuntimeName): void {
  describe(`hooks on ${runtime}`, () => {
    hookOutcomes(runtime)
    hookRoutes(runtime)
    hookCalls(runtime)
  })
}
