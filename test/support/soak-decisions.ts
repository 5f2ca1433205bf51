// A process that keeps a decision log busy and says how much memory that takes. Run with --expose-gc.
// Arguments: path, records, and `fails` for a disk that takes nothing.

import { openExchange } from '../../src/pipeline/exchange.ts'
import type { Config } from '../../src/config/config.ts'
import { DecisionLog } from '../../src/observe/decision-log.ts'
import { DecisionFile } from '../../src/store/decision-file.ts'
import { decisionLogConfig } from './decision-log-config.ts'
import { createFaultyDisk } from './faulty-log-files.ts'
import { recordNumber } from './made-up-records.ts'

const [path = '', records = '0', disk = 'works'] = process.argv.slice(2)

const faulty = createFaultyDisk()
faulty.writeFault = disk === 'fails' ? 'ENOSPC' : null
const store = new DecisionFile({
  files: faulty.files,
  path,
  config: decisionLogConfig({
    fsync: 'never',
    rotateBytes: 8 * 1024 * 1024,
    exportIntervalMs: 100,
    retentionBytes: 64e6,
  }),
  now: () => Date.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
  onChange: () => {},
})
await store.open()
const log = new DecisionLog({ store, now: () => Date.now() })

function heapMiB(): number {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return Math.round((heapUsed + arrayBuffers) / 2 ** 20)
}

const sizes: number[] = []
const count = Number(records)
for (let n = 0; n < count; n += 1) {
  const record = recordNumber(n, { timestamp: new Date().toISOString() })
  const exchange = openExchange({
    requestId: record.request_id,
    receivedAtMs: Date.now(),
    config: { hash: record.config_hash } as Config, // all that a record takes of it
    context: { waitUntil: () => {}, rawTarget: null },
  })
  log.recordOpened(Object.assign(exchange, { decisionId: record.decision_id }))
  log.recordClosed(record, null)
  if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  if (n % Math.floor(count / 10) === 0) sizes.push(heapMiB())
}
const { waiting, lost, stored } = await store.status()
await log.close()
process.stdout.write(`${JSON.stringify({ sizes: [...sizes, heapMiB()], waiting, lost, stored })}\n`)
