// The prober of a pool: asks its workers round after round, those in doubt more often, and never more at a time than a
// platform can carry. Who keeps the time (a timer, an object's alarm) is not known here.

import { equalSettings } from '../secret.ts'
import type { WorkerConfig } from '../config/config.ts'
import type { WorkerObservation } from '../store/fleet-store.ts'
import { CONNECTIONS_AT_ONCE, createSlots, type WithSlot } from './connection-slots.ts'
import { type KnownWorker, ProbeMemory } from './probe-memory.ts'
import type { ProbePlatform } from './probe-request.ts'
import { type ProbeMeans, probeWorker, type ProbeSettings } from './probe-worker.ts'

/** As many workers as one set of connections asks: even if all of them hang, a round of it is over in three timeouts. */
export const WORKERS_PER_PROBER = 16

/**
 * The longest a round takes, in milliseconds: a little longer than a probe may take by default. What slower workers say
 * comes with a later round, as news of the others must not wait for them.
 */
export const ROUND_MS = 2_500

/** How soon to ask a worker again that is not known to be well, in milliseconds. */
export const EAGER_MS = 1_000

/** A worker is due this much of an interval after it was last asked; less than the least that jitter makes of one. */
const DUE_AFTER = 0.85

/** Workers to ask, and how. A whole `Config` is one. */
export interface ProbeTargets extends ProbeSettings {
  readonly workers: readonly WorkerConfig[]
}

export interface Prober {
  /**
   * Asks the workers whose turn it is, those not known to be well, and those in `doubted`. Never rejects: a worker that
   * fails is an observation. What was learned of a worker that has left or changed meanwhile is dropped.
   */
  round(doubted?: ReadonlySet<string>): Promise<readonly WorkerObservation[]>
  /** Milliseconds to wait until the next round: sooner while some worker is missing, so that it is found quickly. */
  nextRoundMs(): number
}

/** An observation of a worker as it was asked. */
interface Arrived {
  readonly asked: WorkerConfig
  readonly observation: WorkerObservation
}

/** `targets` is asked before and after each round, so that a reload takes effect with the next one. */
export function createProber(
  platform: ProbePlatform & { random(): number },
  targets: () => ProbeTargets,
  memory: ProbeMemory = new ProbeMemory(),
): Prober {
  const slotsFor = slotsByPool()
  let arrived: (Arrived & { readonly known: KnownWorker })[] = []

  async function ask(worker: WorkerConfig, means: ProbeMeans): Promise<void> {
    const known = memory.of(worker)
    known.askedAtMs = platform.now()
    known.isUnderWay = true
    const observation = await probeWorker(means, worker, known)
    arrived.push({ asked: worker, observation, known })
  }
  /** What has come so far; who has been told of may be asked anew. */
  function collect(): readonly Arrived[] {
    const news = arrived
    arrived = []
    for (const { known } of news) known.isUnderWay = false
    return news
  }
  return {
    async round(doubted = new Set()) {
      const { workers, ...settings } = targets()
      memory.keepOnly(workers)
      const due = workers.filter((worker) => isDue(worker, { platform, settings, memory, doubted }))
      const means = { platform, settings, withSlot: slotsFor(workers.length) }
      const late = startTimer(platform, ROUND_MS)
      await Promise.race([late.passed, Promise.all(due.map((worker) => ask(worker, means)))])
      late.callOff()
      return stillTrue(collect(), targets().workers)
    },
    nextRoundMs() {
      const { workers, health } = targets()
      const isCalm = workers.every((worker) => {
        const known = memory.of(worker)
        return known.isSettled(health.successThreshold) && !known.isUnderWay
      })
      return withJitter(isCalm ? health.intervalMs : Math.min(EAGER_MS, health.intervalMs), platform.random())
    },
  }
}

/** A tenth more or less keeps the probers of many pools from asking shared workers in step. */
export function withJitter(waitMs: number, random: number): number {
  return waitMs * (0.9 + 0.2 * random)
}

/** Six connections for each sixteen workers, whatever round asks over them: one may begin before another's last answer. */
function slotsByPool(): (workers: number) => WithSlot {
  let count = 0
  let withSlot = createSlots(count)
  return (workers) => {
    const wanted = CONNECTIONS_AT_ONCE * Math.ceil(workers / WORKERS_PER_PROBER)
    if (wanted !== count) withSlot = createSlots(wanted)
    count = wanted
    return withSlot
  }
}

interface DueContext {
  readonly platform: ProbePlatform
  readonly settings: ProbeSettings
  readonly memory: ProbeMemory
  readonly doubted: ReadonlySet<string>
}

function isDue(worker: WorkerConfig, { platform, settings, memory, doubted }: DueContext): boolean {
  const known = memory.of(worker)
  // Two rounds at once, as alarms that run twice make them, are one.
  if (known.isUnderWay) return false
  if (known.askedAtMs === null || doubted.has(worker.id)) return true
  const { intervalMs, successThreshold } = settings.health
  return !known.isSettled(successThreshold) || platform.now() - known.askedAtMs >= DUE_AFTER * intervalMs
}

/**
 * Those observations whose worker, as it was asked, is still one of the pool, in the pool's order: a reload may have come
 * in between.
 */
export function stillTrue(arrived: readonly Arrived[], pool: readonly WorkerConfig[]): readonly WorkerObservation[] {
  const places = new Map(pool.map((worker, at) => [worker.id, { worker, at }]))
  const placed = arrived.flatMap(({ asked, observation }) => {
    const place = places.get(asked.id)
    return place !== undefined && isSameServer(asked, place.worker) ? [{ at: place.at, observation }] : []
  })
  return placed.sort((one, other) => one.at - other.at).map(({ observation }) => observation)
}

function isSameServer(one: WorkerConfig, other: WorkerConfig): boolean {
  return one.url === other.url && one.binding === other.binding && equalSettings(one.apiKey, other.apiKey)
}

/** A time that passes once, unless it is called off. */
export function startTimer(platform: Pick<ProbePlatform, 'after'>, delayMs: number) {
  let callOff = () => {}
  const passed = new Promise<void>((resolve) => {
    callOff = platform.after(delayMs, resolve)
  })
  return { passed, callOff }
}
