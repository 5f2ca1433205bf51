// A process that does nothing but append to a decision log, and says which records were acknowledged. Somebody kills it.
// Arguments: path, fsync, bytes a file, number of the first record.

import { writeSync } from 'node:fs'
import { createLogFiles } from '../../src/runtime/node-log-files.ts'
import { DecisionFile } from '../../src/store/decision-file.ts'
import { decisionLogConfig } from './decision-log-config.ts'
import { recordNumber } from './made-up-records.ts'

const [path = '', fsync = 'always', rotateBytes = '0', first = '0'] = process.argv.slice(2)

const log = new DecisionFile({
  files: createLogFiles(),
  path,
  config: decisionLogConfig({
    fsync: fsync as 'never' | 'interval' | 'always',
    exportIntervalMs: 20,
    rotateBytes: Number(rotateBytes),
  }),
  now: () => Date.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
  onChange: (change) => writeSync(2, `${JSON.stringify(change)}\n`),
})
await log.open()

for (let n = Number(first); ; n += 1) {
  // Long ones, so that a write takes its time.
  const record = recordNumber(n, { request_text: 'x'.repeat(500 + (n % 7) * 3_000) })
  void log.append([record], []).then(() => writeSync(1, `${record.decision_id}\n`))
  if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
}
