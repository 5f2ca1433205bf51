// What the fleet holds for and against one worker: probes, requests, progress, sleep and an operator's word, and what they
// come to. A state machine over the times it is given; docs/health.md has the table.

import type { BreakerConfig, HealthConfig } from '../config/config.ts'
import type { Availability } from '../routing/policy.ts'
import type { DrainState, KnownLoad, WorkerObservation, WorkerOutcomes, WorkerState } from './fleet-store.ts'
import type { WorkerLoadBelow } from './holder-book.ts'
import { ProbeJudge, type ProbeMemo } from './probe-judge.ts'
import { type BreakerMemo, WorkerBreaker } from './worker-breaker.ts'
import { type DrainMemo, moveDrain, startDrain } from './worker-drain.ts'
import { WorkerProgress } from './worker-progress.ts'
import { type ShareMemo, WorkerShare } from './worker-share.ts'
import { isOut, reasonFor, wordFor, type WorkerSigns } from './worker-word.ts'

export interface HealthSettings {
  readonly health: HealthConfig
  readonly breaker: BreakerConfig | null
  /** How long a router may go on sending work to a drained worker, or leave work unreported. */
  readonly drainSettleMs: number
}

export interface Birth {
  /** Any number that no earlier worker of the same id has used. */
  readonly epoch: number
  readonly nowMs: number
}

/** What of a worker outlives the memory it is kept in. */
export interface WorkerMemo {
  readonly models: readonly string[] | null
  readonly checkedAtMs: number | null
  readonly isAsleep: boolean
  readonly word: Availability
  readonly sinceMs: number | null
  readonly probes: ProbeMemo
  readonly breaker: BreakerMemo
  readonly share: ShareMemo
  readonly drain: DrainMemo | null
}

/** Reports come this late at most: what they tell of may have run before. */
const LATE_REPORT_MS = 2_000

/** News older than what is known by less than this came late; by more, the clock has been set back. */
const LATE_MS = 60_000

const NOTHING_RUNS: WorkerLoadBelow = { isRunning: false, inFlight: 0, provenUntilMs: Number.NEGATIVE_INFINITY }

export class WorkerHealth {
  readonly #workerId: string
  readonly #bornAtMs: number
  #settings: HealthSettings
  readonly #probes: ProbeJudge
  readonly #breaker: WorkerBreaker
  readonly #progress = new WorkerProgress()
  readonly #share = new WorkerShare()
  #drain: DrainMemo | null = null
  #models: readonly string[] | null = null
  #load: KnownLoad | null = null
  #isAsleep = false
  #checkedAtMs: number | null = null
  /** When a request last could not reach it, until a later probe could. */
  #suspectAtMs: number | null = null
  #busyUntilMs: number | null = null
  #work = NOTHING_RUNS
  #word: Availability = 'unknown'
  #sinceMs: number | null = null
  #knownEpoch: number
  #revision = 0

  constructor(workerId: string, settings: HealthSettings, { epoch, nowMs }: Birth) {
    this.#workerId = workerId
    this.#bornAtMs = nowMs
    this.#settings = settings
    this.#probes = new ProbeJudge(settings.health)
    this.#breaker = new WorkerBreaker(settings.breaker, { epoch })
    this.#knownEpoch = epoch
  }

  configure(settings: HealthSettings, nowMs: number): void {
    this.#settings = settings
    this.#probes.configure(settings.health)
    this.#breaker.configure(settings.breaker)
    this.#settle(nowMs)
  }

  /** Rises with every change that is worth keeping. */
  get revision(): number {
    return this.#revision
  }

  get epoch(): number {
    return this.#breaker.epoch
  }

  /** A probe's word; one older than what is known is dropped. */
  observe({ atMs, health, models, isAsleep, load }: WorkerObservation): void {
    if (this.#isLate(atMs)) return
    this.#checkedAtMs = atMs
    this.#probes.note(health)
    if (health === 'ok') this.#suspectAtMs = null
    if (models !== null && !isSame(models, this.#models)) {
      this.#models = models
      this.#revision += 1
    }
    // One that is well and does not say that it sleeps is awake: it may have been started anew, without that route.
    if (health === 'ok') this.#isAsleep = isAsleep === true
    if (load !== null) this.#load = { ...load, ours: this.#work.inFlight }
    this.#progress.noteLoad(load)
    this.#settle(atMs)
  }

  /** Nobody has asked it for long: its next answer counts at once. */
  lookAnew(): void {
    this.#probes.lookAnew()
  }

  /** A request could not reach it. One that a later probe could reach is past that. */
  noteUnreachable(atMs: number): void {
    if (this.#isLate(atMs)) return
    this.#checkedAtMs = atMs
    this.#suspectAtMs = atMs
    this.#settle(atMs)
  }

  noteOutcomes(outcomes: WorkerOutcomes, nowMs: number): void {
    this.#breaker.note(outcomes, nowMs)
    if (outcomes.busies > 0) this.#share.notePressure(nowMs)
    if (outcomes.busyForMs > 0) this.#busyUntilMs = Math.max(this.#busyUntilMs ?? 0, nowMs + outcomes.busyForMs)
    this.#settle(nowMs)
  }

  noteByte(atMs: number): void {
    this.#progress.noteByte(atMs)
  }

  /** What runs on it now, over all holders; undefined for nothing. */
  noteWork(work: WorkerLoadBelow | undefined, nowMs: number): void {
    this.#work = work ?? NOTHING_RUNS
    this.#noteOurs(nowMs)
    this.#progress.noteRunning(this.#work, nowMs)
    this.#settle(nowMs)
  }

  /** A report that comes soon after the metrics were read tells of requests that they counted already. */
  #noteOurs(nowMs: number): void {
    const load = this.#load
    if (load === null || load.ours >= this.#work.inFlight || nowMs - load.atMs > LATE_REPORT_MS) return
    this.#load = { ...load, ours: this.#work.inFlight }
  }

  drain(deadlineMs: number, nowMs: number): void {
    this.#setDrain(startDrain(this.#drain, deadlineMs, nowMs))
    this.#settle(nowMs)
  }

  undrain(nowMs: number): void {
    this.#setDrain(null)
    this.#settle(nowMs)
  }

  /** How many requests may be on their way to it to see whether it has recovered; 0 unless it is half open. */
  probesAllowed(nowMs: number): number {
    this.#settle(nowMs)
    const isTried = this.#word === 'half_open' || this.#word === 'ejected'
    return isTried && this.#breaker.phase(nowMs) === 'half_open' ? this.#breaker.halfOpenProbes() : 0
  }

  state(nowMs: number): WorkerState {
    this.#settle(nowMs)
    const isBusy = this.#busyUntilMs !== null && this.#busyUntilMs > nowMs
    const share = this.#share.at(nowMs)
    const isPressed = isBusy || this.#share.isRelieved(nowMs)
    const reason = reasonFor(this.#word, this.#signs(nowMs))
    return {
      workerId: this.#workerId,
      availability: this.#word,
      reason: this.#word !== 'up' ? reason : isPressed ? 'busy' : share < 1 ? 'recovering' : reason,
      sinceMs: this.#sinceMs,
      models: this.#models,
      checkedAtMs: this.#checkedAtMs,
      load: this.#load,
      share,
      busyUntilMs: isBusy ? this.#busyUntilMs : null,
      epoch: this.#breaker.epoch,
      breaker: this.#breaker.state(nowMs),
      drain: this.#drainState(),
    }
  }

  memo(): WorkerMemo {
    return {
      models: this.#models,
      checkedAtMs: this.#checkedAtMs,
      isAsleep: this.#isAsleep,
      word: this.#word,
      sinceMs: this.#sinceMs,
      probes: this.#probes.memo(),
      breaker: this.#breaker.memo(),
      share: this.#share.memo(),
      drain: this.#drain,
    }
  }

  resume(memo: WorkerMemo): void {
    this.#models = memo.models
    this.#checkedAtMs = memo.checkedAtMs
    this.#isAsleep = memo.isAsleep
    this.#word = memo.word
    this.#sinceMs = memo.sinceMs
    this.#probes.resume(memo.probes)
    this.#breaker.resume(memo.breaker)
    this.#knownEpoch = memo.breaker.epoch
    this.#share.resume(memo.share)
    this.#drain = memo.drain
  }

  #isLate(atMs: number): boolean {
    const behindMs = this.#checkedAtMs === null ? 0 : this.#checkedAtMs - atMs
    return behindMs > 0 && behindMs < LATE_MS
  }

  /** Works out what it is now, and notes when that has changed. */
  #settle(nowMs: number): void {
    const { health, drainSettleMs } = this.#settings
    if (this.#drain !== null) {
      // What ran in an earlier life of this memory is known once those who run it have reported again.
      const provenFromMs = Math.max(this.#drain.sinceMs, this.#bornAtMs) + drainSettleMs
      this.#setDrain(moveDrain(this.#drain, { inFlight: this.#work.inFlight, provenFromMs }, nowMs))
    }
    if (this.#progress.isStalled(health.stallMs)) {
      this.#breaker.trip('no_progress', nowMs)
      this.#progress.restart(nowMs)
    }
    if (this.#breaker.epoch !== this.#knownEpoch) {
      this.#knownEpoch = this.#breaker.epoch
      this.#revision += 1
    }
    const word = wordFor(this.#signs(nowMs))
    if (word === this.#word) return
    if (isOut(this.#word) && !isOut(word)) this.#share.noteReturn(nowMs)
    this.#word = word
    this.#sinceMs = nowMs
    this.#revision += 1
  }

  #signs(nowMs: number): WorkerSigns {
    return {
      drain: this.#drain?.state ?? null,
      isAsleep: this.#isAsleep,
      probed: this.#probes.word,
      lastProbe: this.#probes.last,
      phase: this.#breaker.phase(nowMs),
      cause: this.#breaker.cause,
      isSuspect: this.#suspectAtMs !== null,
    }
  }

  #setDrain(drain: DrainMemo | null): void {
    if (drain === this.#drain) return
    this.#drain = drain
    this.#revision += 1
  }

  #drainState(): DrainState | null {
    return this.#drain === null ? null : { ...this.#drain, inFlight: this.#work.inFlight }
  }
}

function isSame(left: readonly string[], right: readonly string[] | null): boolean {
  return left.length === right?.length && left.every((model, at) => model === right[at])
}
