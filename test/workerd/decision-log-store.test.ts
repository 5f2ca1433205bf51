// The contract of decision logs over the real objects and a bucket.

import { decisionLogStoreConformance } from '../conformance/decision-log-store.ts'
import { createLog } from './decision-log-rig.ts'

decisionLogStoreConformance('durable objects', async () => {
  const log = createLog()
  return { store: log.store, settle: log.settle, exportedLines: log.exportedLines }
})
