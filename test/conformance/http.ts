// The HTTP conformance suite: what every runtime must do alike, as seen by a client and by the worker behind. One line
// per runtime in test/runtimes calls it.

import type { RuntimeName } from '../support/launch.ts'
import { clientsConformance } from './http-clients.ts'
import { forwardingConformance } from './http-forwarding.ts'
import { streamConformance } from './http-streams.ts'
import { surfaceConformance } from './http-surface.ts'

export function httpConformance(runtime: RuntimeName): void {
  surfaceConformance(runtime)
  forwardingConformance(runtime)
  streamConformance(runtime)
  clientsConformance(runtime)
}
