// The HTTP conformance suite: what every runtime must do alike, as seen by a client and by the worker behind. One line
// per runtime in test/runtimes calls it.

import type { RuntimeName } from '../support/launch.ts'
import { badInputConformance } from './http-bad-input.ts'
import { clientsConformance } from './http-clients.ts'
import { forwardingConformance } from './http-forwarding.ts'
import { routingConformance } from './http-routing.ts'
import { hooksConformance } from './http-hooks.ts'
import { rulesConformance } from './http-rules.ts'
import { streamConformance } from './http-streams.ts'
import { surfaceConformance } from './http-surface.ts'

export function httpConformance(runtime: RuntimeName): void {
  surfaceConformance(runtime)
  badInputConformance(runtime)
  forwardingConformance(runtime)
  streamConformance(runtime)
  hooksConformance(runtime)
  clientsConformance(runtime)
  routingConformance(runtime)
  rulesConformance(runtime)
}
