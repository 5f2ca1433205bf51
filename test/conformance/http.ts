// The HTTP conformance suite: what every runtime must do alike, as seen by a client and by the worker behind. One line
// per runtime in test/runtimes calls it.

import type { RuntimeName } from '../support/launch.ts'
import { adminConformance } from './http-admin.ts'
import { badInputConformance } from './http-bad-input.ts'
import { callersConformance } from './http-callers.ts'
import { clientsConformance } from './http-clients.ts'
import { decisionLogConformance } from './http-decision-log.ts'
import { decisionsAskedConformance } from './http-decisions-asked.ts'
import { explainConformance } from './http-explain.ts'
import { faultTableConformance } from './http-fault-table.ts'
import { forwardingConformance } from './http-forwarding.ts'
import { healthConformance } from './http-health.ts'
import { limitsConformance } from './http-limits.ts'
import { routingConformance } from './http-routing.ts'
import { hooksConformance } from './http-hooks.ts'
import { privacyConformance } from './http-privacy.ts'
import { probesConformance } from './http-probes.ts'
import { recordsConformance } from './http-records.ts'
import { replayConformance } from './http-replay.ts'
import { retriesConformance } from './http-retries.ts'
import { routerReplayConformance } from './http-router-replay.ts'
import { rulesConformance } from './http-rules.ts'
import { streamConformance } from './http-streams.ts'
import { surfaceConformance } from './http-surface.ts'

export function httpConformance(runtime: RuntimeName): void {
  surfaceConformance(runtime)
  callersConformance(runtime)
  limitsConformance(runtime)
  adminConformance(runtime)
  badInputConformance(runtime)
  faultTableConformance(runtime)
  forwardingConformance(runtime)
  decisionLogConformance(runtime)
  decisionsAskedConformance(runtime)
  explainConformance(runtime)
  routerReplayConformance(runtime)
  privacyConformance(runtime)
  replayConformance(runtime)
  recordsConformance(runtime)
  streamConformance(runtime)
  hooksConformance(runtime)
  clientsConformance(runtime)
  routingConformance(runtime)
  rulesConformance(runtime)
  retriesConformance(runtime)
  healthConformance(runtime)
  probesConformance(runtime)
}
