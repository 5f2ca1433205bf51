// The load generator as a process of its own: takes one job at a time from its parent and sends the result back.

import { type LoadJob, runLoad } from './load.ts'

process.once('disconnect', () => process.exit(0))
process.on('message', (job: LoadJob) => {
  void runLoad(job).then((result) => process.send?.(result))
})
