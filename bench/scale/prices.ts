// Cloudflare's prices on the Workers Paid plan beyond what is included, in US dollars, and what a deployment pays by them.

import type { CoordinationFigures } from './coordination.ts'
import { ALARMS_PER_EXPORT, ROWS_PER_BATCH, ROWS_PER_SEGMENT } from './decision-rows.ts'
import { OBJECT_KINDS } from './objects.ts'

export const PRICES = {
  /** When they were read, and where. */
  readOn: '2026-11-21',
  sources: [
    'https://developers.cloudflare.com/workers/platform/pricing/',
    'https://developers.cloudflare.com/durable-objects/platform/pricing/',
    'https://developers.cloudflare.com/r2/pricing/',
    'https://developers.cloudflare.com/kv/platform/pricing/',
  ],
  workerRequests: 0.3,
  workerCpuMs: 0.02,
  objectRequests: 0.15,
  objectGbSeconds: 12.5,
  rowsWritten: 1,
  r2Writes: 4.5,
  kvReads: 0.5,
  logEvents: 0.6,
} as const

/** What an object is billed for while it is in memory. */
const OBJECT_GB = 0.128

/** Simulated records are small: batches of real ones are full sooner. */
const BATCH_BYTES = 512 * 1_024
const SEGMENT_BYTES = 4 * 1_024 * 1_024
const RECORD_BYTES = 1_500
const EXPORT_SECONDS = 10

export interface Cost {
  readonly worker: number
  readonly cpu: number
  readonly objects: number
  readonly duration: number
  readonly rows: number
  readonly r2: number
  readonly logs: number
  readonly r2WritesPerSecond: number
}

/** Dollars per million requests. */
export function costPerMillion(figures: CoordinationFigures, cpuMs: number): Cost {
  const { deployment, kinds, callsPerSecond, batchesPerSecond } = figures
  const { requestsPerSecond } = deployment
  const perMillion = (perSecond: number) => perSecond / requestsPerSecond
  const objects = OBJECT_KINDS.reduce((sum, kind) => sum + kinds[kind].objects, 0)
  const recordsPerObject = requestsPerSecond / Math.max(1, kinds.decisions.objects)
  const segmentsPerObject = Math.max(1 / EXPORT_SECONDS, (recordsPerObject * RECORD_BYTES) / SEGMENT_BYTES)
  const r2WritesPerSecond = segmentsPerObject * kinds.decisions.objects
  const alarmsPerSecond = (kinds.decisions.objects / EXPORT_SECONDS) * ALARMS_PER_EXPORT
  const batches = Math.max(batchesPerSecond, (requestsPerSecond * RECORD_BYTES) / BATCH_BYTES)
  const rowsPerSecond = batches * ROWS_PER_BATCH + r2WritesPerSecond * ROWS_PER_SEGMENT + alarmsPerSecond
  return {
    worker: PRICES.workerRequests,
    cpu: cpuMs * PRICES.workerCpuMs,
    objects: perMillion(callsPerSecond) * PRICES.objectRequests,
    duration: perMillion(objects * OBJECT_GB) * PRICES.objectGbSeconds,
    rows: perMillion(rowsPerSecond) * PRICES.rowsWritten,
    r2: perMillion(r2WritesPerSecond) * PRICES.r2Writes,
    logs: PRICES.logEvents,
    r2WritesPerSecond,
  }
}
