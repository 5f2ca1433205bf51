// The prober of a pool: asks its workers round after round, those in doubt more often, and never more at a time than a
// platform can carry. Who keeps the time (a timer, an object's alarm) is not known here.

import type { WorkerConfig } from '../config/config.ts'
import type { WorkerObservation } from '../store/fleet-store.ts'
import { CONNECTIONS_AT_ONCE, createSlots } from './connection-slots.ts'
import { ProbeMemory } from './probe-memory.ts'
import type { ProbePlatform } from './probe-request.ts'
import { probeWorker, type ProbeSettings } from './probe-worker.ts'

/** As many workers as one set of connections asks: even if all of them hang, a round is over in three timeouts. */
export const WORKERS_PER_PROBER = 16

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

/** `targets` is asked before and after each round, so that a reload takes effect with the next one. */
export function createProber(
  platform: ProbePlatform & { random(): number },
  targets: () => ProbeTargets,
  memory: ProbeMemory = new ProbeMemory(),
): Prober {
  return {
    async round(doubted = new Set()) {
      const { workers, ...settings } = targets()
      memory.keepOnly(workers)
      const due = workers.filter((worker) => isDue(worker, { platform, settings, memory, doubted }))
      const observations = await probeRound(platform, due, settings, memory)
      return stillTrue(observations, due, targets().workers)
    },
    nextRoundMs() {
      const { workers, health } = targets()
      const isCalm = workers.every((worker) => memory.of(worker).isSettled(health.successThreshold))
      return withJitter(isCalm ? health.intervalMs : Math.min(EAGER_MS, health.intervalMs), platform.random())
    },
  }
}

/** A tenth more or less keeps the probers of many pools from asking shared workers in step. */
export function withJitter(waitMs: number, random: number): number {
  return waitMs * (0.9 + 0.2 * random)
}

/** Asks all of `workers`, in their order, six connections at a time for each sixteen of them. */
export async function probeRound(
  platform: ProbePlatform,
  workers: readonly WorkerConfig[],
  settings: ProbeSettings,
  memory: ProbeMemory,
): Promise<readonly WorkerObservation[]> {
  const withSlot = createSlots(CONNECTIONS_AT_ONCE * Math.ceil(workers.length / WORKERS_PER_PROBER))
  const ask = async (worker: WorkerConfig) => {
    const known = memory.of(worker)
    known.askedAtMs = platform.now()
    known.isBeingAsked = true
    try {
      return await probeWorker({ platform, settings, withSlot }, worker, known)
    } finally {
      known.isBeingAsked = false
    }
  }
  return Promise.all(workers.map(ask))
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
  if (known.isBeingAsked) return false
  if (known.askedAtMs === null || doubted.has(worker.id)) return true
  const { intervalMs, successThreshold } = settings.health
  return !known.isSettled(successThreshold) || platform.now() - known.askedAtMs >= DUE_AFTER * intervalMs
}

/** Those observations whose worker, as it was asked, is still one of the pool: a reload may have come in between. */
export function stillTrue(
  observations: readonly WorkerObservation[],
  asked: readonly WorkerConfig[],
  current: readonly WorkerConfig[],
): readonly WorkerObservation[] {
  if (asked === current) return observations
  const before = new Map(asked.map((worker) => [worker.id, worker]))
  const now = new Map(current.map((worker) => [worker.id, worker]))
  return observations.filter(({ workerId }) => isSameServer(before.get(workerId), now.get(workerId)))
}

function isSameServer(one: WorkerConfig | undefined, other: WorkerConfig | undefined): boolean {
  if (one === undefined || other === undefined) return false
  return one.url === other.url && one.binding === other.binding && one.apiKey === other.apiKey
}
