// The Worker that `wrangler deploy` uploads: the configuration in configs/worker.yaml, built-in policies. For policies of
// your own write an entry like this one (docs/policies.md).

import config from '../../configs/worker.yaml'
import { createWorker } from './cloudflare.ts'

const worker = createWorker({ config })

export default worker.handler
export const Fleet = worker.Fleet
export const TenantLimits = worker.TenantLimits
export const DecisionLog = worker.DecisionLog
export const ReplayLog = worker.ReplayLog
