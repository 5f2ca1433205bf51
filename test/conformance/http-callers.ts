// Callers as the router tells them apart: keys, models, stored responses, services that know keys, and a router that is full.

import { describe } from 'vitest'
import type { RuntimeName } from '../support/launch.ts'
import { callerFleet } from './caller-fleet.ts'
import { callerHooks } from './http-caller-hooks.ts'
import { callerKeys } from './http-caller-keys.ts'
import { callerModels } from './http-caller-models.ts'
import { callerReloads } from './http-caller-reload.ts'
import { callerResponses } from './http-caller-responses.ts'
import { keyServices } from './http-key-services.ts'
import { overloadConformance } from './http-overload.ts'

export function callersConformance(runtime: RuntimeName): void {
  describe(`callers on ${runtime}`, () => {
    const fleet = callerFleet(runtime)
    callerKeys(fleet, runtime)
    callerModels(fleet, runtime)
    callerResponses(fleet)
  })
  callerReloads(runtime)
  callerHooks(runtime)
  keyServices(runtime)
  overloadConformance(runtime)
}
