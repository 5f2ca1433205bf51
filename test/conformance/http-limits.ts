// Tenants with limits: what passes, what is refused and how, and that everything comes back however requests end.

import { describe } from 'vitest'
import type { RuntimeName } from '../support/launch.ts'
import { limitChanges } from './http-limit-changes.ts'
import { limitClients } from './http-limit-clients.ts'
import { limitRates } from './http-limit-rates.ts'
import { limitSlots } from './http-limit-slots.ts'
import { limitTokens } from './http-limit-tokens.ts'
import { limitBench } from './limit-fleet.ts'

export function limitsConformance(runtime: RuntimeName): void {
  describe(`limits on ${runtime}`, () => {
    const bench = limitBench(runtime)
    limitRates(bench)
    limitSlots(bench)
    limitTokens(bench)
    limitClients(bench)
    limitChanges(bench)
  })
}
