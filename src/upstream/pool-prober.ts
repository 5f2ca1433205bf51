// The prober of a large pool where one object may not ask everybody: slices of sixteen workers, the first asked here, each
// of the others by an object of its own. Those keep no time and no configuration; they are told whom to ask each time, so
// none of them goes on by itself, and none asks for a configuration that has been replaced.

import type { WorkerConfig } from '../config/config.ts'
import { toSecret } from '../secret.ts'
import type { WorkerObservation } from '../store/fleet-store.ts'
import {
  createProber,
  EAGER_MS,
  type Prober,
  type ProbeTargets,
  ROUND_MS,
  startTimer,
  stillTrue,
  WORKERS_PER_PROBER,
  withJitter,
} from './probe.ts'
import type { ProbePlatform } from './probe-request.ts'
import type { ProbeSettings } from './probe-worker.ts'

/** The longest a round waits for whoever asks a slice: as long as that takes, and as much again for the way there. */
const SLICE_MS = 2 * ROUND_MS

/** A worker as another object is told of it, which can't be handed what hides itself. */
type SentWorker = Omit<WorkerConfig, 'apiKey'> & { readonly apiKey: string | null }

/** Whom to ask, and how: at most sixteen workers of a pool. */
export interface SliceOrder {
  readonly targets: ProbeSettings & { readonly workers: readonly SentWorker[] }
  /** Workers to ask whether or not it is their turn. */
  readonly doubted: ReadonlySet<string>
}

export interface SliceReport {
  readonly observations: readonly WorkerObservation[]
  readonly nextRoundMs: number
}

/** Asks one slice of a pool. */
export interface SliceProber {
  probeSlice(order: SliceOrder): Promise<SliceReport>
}

export interface PoolProberOptions {
  readonly platform: ProbePlatform & { random(): number }
  readonly targets: () => ProbeTargets
  /** Whoever asks the n-th slice, from 1 on. */
  readonly sliceProber: (slice: number) => SliceProber
  /** Nobody could be had to ask a slice this time. */
  readonly onSliceFailed: (slice: number, cause: unknown) => void
}

/** Asks the workers it is told of, and remembers what it needs of them until the next time. */
export function createSliceProber(platform: ProbePlatform & { random(): number }): SliceProber {
  let targets: ProbeTargets | null = null
  let prober: Prober | null = null
  return {
    async probeSlice(order) {
      const told = { ...order.targets, workers: order.targets.workers.map(toWorker) }
      targets = told
      prober ??= createProber(platform, () => targets ?? told)
      const observations = await prober.round(order.doubted)
      return { observations, nextRoundMs: prober.nextRoundMs() }
    },
  }
}

/** One slice as its pool knows it. */
interface Slice {
  readonly prober: SliceProber
  isUnderWay: boolean
  nextRoundMs: number
}

/** A prober whose round takes no longer than it should: what a slower slice learns comes with a later one. */
export function createPoolProber({ platform, targets, sliceProber, onSliceFailed }: PoolProberOptions): Prober {
  const slices: Slice[] = []
  let arrived: { readonly order: SliceOrder; readonly report: SliceReport }[] = []

  function addSlice(at: number): Slice {
    const prober = at === 0 ? createSliceProber(platform) : sliceProber(at)
    const slice = { prober, isUnderWay: false, nextRoundMs: EAGER_MS }
    slices.push(slice)
    return slice
  }
  async function ask(order: SliceOrder, at: number): Promise<void> {
    const slice = slices[at] ?? addSlice(at)
    if (slice.isUnderWay) return
    slice.isUnderWay = true
    try {
      const report = await slice.prober.probeSlice(order)
      slice.nextRoundMs = report.nextRoundMs
      arrived.push({ order, report })
    } catch (cause) {
      slice.nextRoundMs = withJitter(EAGER_MS, platform.random())
      onSliceFailed(at, cause)
    } finally {
      slice.isUnderWay = false
    }
  }

  return {
    async round(doubted = new Set()) {
      const orders = toOrders(targets(), doubted)
      slices.splice(orders.length)
      const late = startTimer(platform, SLICE_MS)
      await Promise.race([late.passed, Promise.all(orders.map(ask))])
      late.callOff()
      const reports = arrived
      arrived = []
      return stillTrue(reports.flatMap(toArrived), targets().workers)
    },
    nextRoundMs() {
      const { health } = targets()
      if (slices.length === 0) return withJitter(health.intervalMs, platform.random())
      return Math.min(...slices.map((slice) => slice.nextRoundMs))
    },
  }
}

/** Observations with the workers as they were ordered to be asked; a prober of an older version may send others. */
function toArrived({ order, report }: { readonly order: SliceOrder; readonly report: SliceReport }) {
  const ordered = new Map(order.targets.workers.map((worker) => [worker.id, worker]))
  return report.observations.flatMap((observation) => {
    const asked = ordered.get(observation.workerId)
    return asked === undefined ? [] : [{ asked: toWorker(asked), observation }]
  })
}

function toOrders({ workers, health, modelRefreshMs }: ProbeTargets, doubted: ReadonlySet<string>): SliceOrder[] {
  const { intervalMs, timeoutMs, successThreshold, endpoint } = health
  const settings = { health: { intervalMs, timeoutMs, successThreshold, endpoint }, modelRefreshMs }
  return Array.from({ length: Math.ceil(workers.length / WORKERS_PER_PROBER) }, (_, at) => {
    const own = workers.slice(at * WORKERS_PER_PROBER, (at + 1) * WORKERS_PER_PROBER).map(toSent)
    const inDoubt = own.filter(({ id }) => doubted.has(id)).map(({ id }) => id)
    return { targets: { workers: own, ...settings }, doubted: new Set(inDoubt) }
  })
}

function toSent({ apiKey, ...worker }: WorkerConfig): SentWorker {
  return { ...worker, apiKey: apiKey?.reveal() ?? null }
}

function toWorker({ apiKey, ...worker }: SentWorker): WorkerConfig {
  return { ...worker, apiKey: toSecret(apiKey) }
}
