// The Worker that the tests in workerd run against: the real `Fleet` class, over plain workers and over bound ones.

import { createWorker } from '../../src/runtime/cloudflare.ts'
import { faultyBucket } from './faulty-bucket.ts'
import type { RouterEnv } from '../../src/runtime/cloudflare-env.ts'

/** The objects probe the workers of this configuration, whatever a test's own handler is configured with. */
const plain = createWorker({
  config: `
allow_anonymous: true
workers:
  - {id: a, url: "http://a.test"}
  - {id: b, url: "http://b.test"}
  - {id: c, url: "http://c.test"}
`,
})

/** One worker in a private network, reached through a binding. */
export const BOUND_CONFIG = `
allow_anonymous: true
workers:
  - {id: gpu, url: "http://10.0.0.7:8000", binding: GPU_NETWORK, api_key: gpu-key}
`

const bound = createWorker({ config: BOUND_CONFIG })

export default plain.handler
export const Fleet = plain.Fleet
export const TenantLimits = plain.TenantLimits
export const ReplayLog = plain.ReplayLog

/** Over a bucket that fails when a test says so. */
export class DecisionLog extends plain.DecisionLog {
  constructor(state: DurableObjectState, env: RouterEnv) {
    super(state, { ...env, ...(env.DECISIONS === undefined ? {} : { DECISIONS: faultyBucket(env.DECISIONS) }) })
  }
}

export class BoundFleet extends bound.Fleet {
  constructor(state: DurableObjectState, env: RouterEnv) {
    super(state, { ...env, FLEET: env['BOUND_FLEET'] as DurableObjectNamespace })
  }
}

/** Without a bucket. */
export class UnboundDecisionLog extends plain.DecisionLog {
  constructor(state: DurableObjectState, { DECISIONS: _decisions, ...env }: RouterEnv) {
    super(state, env as RouterEnv)
  }
}
