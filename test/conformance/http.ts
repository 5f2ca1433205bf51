// The HTTP conformance suite: what every runtime must do alike, as seen by a client and by the worker behind. One line
// per runtime in test/runtimes calls it; http-over-time.ts has what goes by the clock.

import type { RuntimeName } from '../support/launch.ts'
import { adminConformance } from './http-admin.ts'
import { badInputConformance } from './http-bad-input.ts'
import { callersConformance } from './http-callers.ts'
import { clientsConformance } from './http-clients.ts'
import { decisionLogConformance } from './http-decision-log.ts'
import { decisionsConformance } from './http-decisions.ts'
import { decisionsAskedConformance } from './http-decisions-asked.ts'
import { explainConformance } from './http-explain.ts'
import { forwardingConformance } from './http-forwarding.ts'
import { routingConformance } from './http-routing.ts'
import { hooksConformance } from './http-hooks.ts'
import { logsConformance } from './http-logs.ts'
import { metricsConformance } from './http-metrics.ts'
import { privacyConformance } from './http-privacy.ts'
import { lmcacheConformance } from './http-lmcache.ts'
import { tokenCacheConformance } from './http-token-cache.ts'
import { recordsConformance } from './http-records.ts'
import { replayConformance } from './http-replay.ts'
import { responseCacheConformance } from './http-response-cache.ts'
import { semanticCacheConformance } from './http-semantic-cache.ts'
import { retriesConformance } from './http-retries.ts'
import { routerReplayConformance } from './http-router-replay.ts'
import { rulesConformance } from './http-rules.ts'
import { streamConformance } from './http-streams.ts'
import { semanticClusterConformance } from './http-semantic-cluster.ts'
import { signalServersConformance } from './http-signal-servers.ts'
import { surfaceConformance } from './http-surface.ts'
import { traceLookupsConformance } from './http-trace-lookups.ts'
import { tracesConformance } from './http-traces.ts'

export function httpConformance(runtime: RuntimeName): void {
  surfaceConformance(runtime)
  callersConformance(runtime)
  adminConformance(runtime)
  badInputConformance(runtime)
  forwardingConformance(runtime)
  decisionLogConformance(runtime)
  decisionsAskedConformance(runtime)
  explainConformance(runtime)
  routerReplayConformance(runtime)
  privacyConformance(runtime)
  replayConformance(runtime)
  recordsConformance(runtime)
  logsConformance(runtime)
  metricsConformance(runtime)
  tracesConformance(runtime)
  traceLookupsConformance(runtime)
  streamConformance(runtime)
  hooksConformance(runtime)
  clientsConformance(runtime)
  routingConformance(runtime)
  semanticClusterConformance(runtime)
  signalServersConformance(runtime)
  lmcacheConformance(runtime)
  tokenCacheConformance(runtime)
  rulesConformance(runtime)
  decisionsConformance(runtime)
  responseCacheConformance(runtime)
  semanticCacheConformance(runtime)
  retriesConformance(runtime)
}
