// A deployment of so many isolates under so many requests a second, in virtual time: who is called how often.

import { seededRandom } from './seeded-random.ts'
import { startIsolate } from './isolate.ts'
import { kindOf, OBJECT_KINDS, type ObjectKind, SimulatedObjects } from './objects.ts'
import type { ObjectCounts } from './rule.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface Deployment {
  readonly requestsPerSecond: number
  readonly isolates: number
  readonly counts: ObjectCounts
  readonly storedShare: number
}

export interface KindFigures {
  /** Objects of the kind that were called. */
  readonly objects: number
  readonly callsPerSecond: number
  /** Of the busiest object. */
  readonly busiest: number
}

export interface CoordinationFigures {
  readonly deployment: Deployment
  readonly kinds: Readonly<Record<ObjectKind, KindFigures>>
  readonly callsPerSecond: number
  readonly busiest: number
  /** Records a second that the busiest object of the decision log takes. */
  readonly busiestRecords: number
  /** Batches a second that objects of the decision log take, all together. */
  readonly batchesPerSecond: number
  readonly requestsPerSecond: number
  readonly failedShare: number
  /** CPU milliseconds of root, replicas' root calls and tenants' objects, by 1,000 requests. */
  readonly objectCpuMsPer1000: number
  readonly complaints: readonly string[]
}

/** Isolates begin within the first second; leases and turns have settled after the next. */
const WARM_UP_MS = 3_000
const WORKERS = 64

export async function simulate(deployment: Deployment, measuredMs: number): Promise<CoordinationFigures> {
  const clock = new VirtualClock()
  const objects = new SimulatedObjects(clock, WORKERS)
  const random = seededRandom(7)
  const { requestsPerSecond, isolates: count, counts, storedShare } = deployment
  const own = { clock, objects, counts, storedShare, workers: WORKERS, random }
  const isolates = Array.from({ length: count }, () =>
    startIsolate({ ...own, requestsPerSecond: requestsPerSecond / count }),
  )
  const total = (of: (isolate: (typeof isolates)[number]) => number) => isolates.reduce((sum, one) => sum + of(one), 0)
  await clock.advance(WARM_UP_MS)
  objects.reset()
  const before = { done: total(({ done }) => done()), failed: total(({ failed }) => failed()) }
  await clock.advance(measuredMs)
  const [done, failed] = [total((one) => one.done()) - before.done, total((one) => one.failed()) - before.failed]
  const perSecond = (number: number) => number / (measuredMs / 1_000)
  const kinds = Object.fromEntries(OBJECT_KINDS.map((kind) => [kind, figuresOf(kind, objects.calls, perSecond)]))
  return {
    deployment,
    kinds: kinds as Record<ObjectKind, KindFigures>, // made of all kinds
    callsPerSecond: perSecond([...objects.calls.values()].reduce((sum, calls) => sum + calls, 0)),
    busiest: perSecond(Math.max(0, ...objects.calls.values())),
    busiestRecords: perSecond(Math.max(0, ...objects.records.values())),
    batchesPerSecond: perSecond(objects.batches),
    requestsPerSecond: perSecond(done),
    failedShare: failed / Math.max(1, done + failed),
    objectCpuMsPer1000: (objects.cpuMs / Math.max(1, done)) * 1_000,
    complaints: [...new Set(isolates.flatMap((isolate) => isolate.complaints()))].slice(0, 5),
  }
}

function figuresOf(
  kind: ObjectKind,
  calls: ReadonlyMap<string, number>,
  perSecond: (number: number) => number,
): KindFigures {
  const own = [...calls].filter(([name]) => kindOf(name) === kind).map(([, count]) => count)
  return {
    objects: own.length,
    callsPerSecond: perSecond(own.reduce((sum, count) => sum + count, 0)),
    busiest: perSecond(Math.max(0, ...own)),
  }
}
