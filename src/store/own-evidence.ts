// What this process's or isolate's own requests found out about workers: acted upon at once here, told to the others with
// the next reports, and given up for what the fleet makes of it.

import type { BreakerConfig } from '../config/config.ts'
import type { Availability } from '../routing/policy.ts'
import type { HolderReport, OutcomeBatch } from './fleet-store.ts'
import { type Outcome, OutcomeLedger } from './outcome-ledger.ts'
import { WorkerShare } from './worker-share.ts'

/** Failures in a row, of requests that may have reached the worker, after which it is suspect. */
const FAILURES_UNTIL_SUSPECT = 2

type Report = HolderReport['unreachable'][number]

interface Findings {
  /** When a request last could not reach it, until a look at it later than that. */
  suspectSinceMs: number | null
  connectionFailures: number
  busyUntilMs: number
  /** Faults since the last success, of attempts begun in `epoch`. */
  faultsInRow: number
  epoch: number
  /** Left alone until then, or until the fleet has heard of it with the batch `seq`. */
  open: { readonly untilMs: number; readonly seq: number } | null
  readonly share: WorkerShare
}

/** What the fleet says of a worker, as far as it is compared with our own evidence. */
export interface KnownWorker {
  readonly availability: Availability
  readonly checkedAtMs: number | null
}

/** How an attempt ended, and where it began. */
export interface EndedAttempt {
  readonly workerId: string
  /** The worker's epoch when it began. */
  readonly epoch: number
  readonly breaker: BreakerConfig | null
}

export class OwnEvidence {
  readonly #now: () => number
  readonly #ledger: OutcomeLedger
  readonly #findings = new Map<string, Findings>()
  #deliveredSeq = 0
  /** Workers others have not been told of yet, with the last time: one line each, however long nobody can be told. */
  #unreported = new Map<string, number>()

  constructor(now: () => number, holder: string) {
    this.#now = now
    this.#ledger = new OutcomeLedger(holder)
  }

  /** Takes in how an attempt ended. True when the worker is left alone from now on that was not before. */
  note(outcome: Outcome, { workerId, epoch, breaker }: EndedAttempt): boolean {
    this.#ledger.note(workerId, epoch, outcome)
    if (outcome.kind === 'ok' || outcome.kind === 'caller') {
      this.#noteAnswer(workerId, outcome.kind)
      return false
    }
    const findings = this.#findingsOf(workerId, epoch)
    switch (outcome.kind) {
      case 'busy':
        findings.connectionFailures = 0
        return this.#noteBusy(findings, outcome.waitMs)
      case 'fault': {
        const isNewlySuspect = this.#noteReach(workerId, findings, outcome.reach)
        const isNewlyOpen = breaker !== null && this.#noteFault(findings, { epoch, breaker })
        return isNewlySuspect || isNewlyOpen
      }
    }
  }

  /** What a worker is, given what the fleet says of it: our own evidence can only make it worse. */
  word(workerId: string, { availability, checkedAtMs }: KnownWorker): Availability {
    const findings = this.#findings.get(workerId)
    const isUsed = availability === 'up' || availability === 'unknown' || availability === 'suspect'
    if (findings === undefined || !isUsed) return availability
    if (this.#isOpen(findings)) return 'open'
    const isBusy = findings.busyUntilMs > this.#now()
    return isBusy || isSuspect(findings, checkedAtMs) ? 'suspect' : availability
  }

  /** The share that our own requests' answers leave a worker. */
  share(workerId: string): number {
    return this.#findings.get(workerId)?.share.at(this.#now()) ?? 1
  }

  /** Until when a worker asked our own requests to leave it alone; 0 when it did not. */
  busyUntilMs(workerId: string): number {
    return this.#findings.get(workerId)?.busyUntilMs ?? 0
  }

  /** True while nothing was found out about anybody. */
  isEmpty(): boolean {
    return this.#findings.size === 0
  }

  /** Workers that could not be reached, which others have not been told yet. */
  takeReports(): readonly Report[] {
    const reports = Array.from(this.#unreported, ([workerId, atMs]) => ({ workerId, atMs }))
    this.#unreported = new Map()
    return reports
  }

  /** Reports that could not be delivered, to be told with the next ones. */
  putBack(reports: readonly Report[]): void {
    for (const { workerId, atMs } of reports) {
      this.#unreported.set(workerId, Math.max(atMs, this.#unreported.get(workerId) ?? atMs))
    }
  }

  /** How attempts ended, to be told now; null when there is nothing to tell. */
  batch(): OutcomeBatch | null {
    return this.#ledger.batch()
  }

  /** These outcomes need not be told again. */
  markDelivered(batch: OutcomeBatch | null): void {
    this.#ledger.markDelivered(batch)
    if (batch !== null) this.#deliveredSeq = batch.seq
  }

  /** The fleet has weighed what was delivered: what it makes of it counts from now on. */
  markWeighed(): void {
    for (const findings of this.#findings.values()) {
      if (findings.open === null || findings.open.seq > this.#deliveredSeq) continue
      findings.open = null
      findings.faultsInRow = 0
    }
  }

  #findingsOf(workerId: string, epoch: number): Findings {
    const known = this.#findings.get(workerId)
    if (known !== undefined) {
      // Attempts of another epoch say nothing about this one.
      if (epoch > known.epoch) Object.assign(known, { epoch, faultsInRow: 0, open: null })
      return known
    }
    const fresh: Findings = {
      suspectSinceMs: null,
      connectionFailures: 0,
      busyUntilMs: 0,
      faultsInRow: 0,
      epoch,
      open: null,
      share: new WorkerShare(),
    }
    this.#findings.set(workerId, fresh)
    return fresh
  }

  #noteAnswer(workerId: string, kind: 'ok' | 'caller'): void {
    const findings = this.#findings.get(workerId)
    if (findings === undefined) return
    findings.connectionFailures = 0
    if (kind === 'ok') findings.faultsInRow = 0
    // Decisions ask about every candidate, so what says nothing any more is dropped.
    if (this.#saysNothing(findings)) this.#findings.delete(workerId)
  }

  #saysNothing({ suspectSinceMs, busyUntilMs, faultsInRow, open, share }: Findings): boolean {
    const nowMs = this.#now()
    const isCalm = busyUntilMs <= nowMs && share.at(nowMs) === 1
    return isCalm && suspectSinceMs === null && faultsInRow === 0 && open === null
  }

  #noteBusy(findings: Findings, waitMs: number): boolean {
    findings.share.notePressure(this.#now())
    const wasBusy = findings.busyUntilMs > this.#now()
    findings.busyUntilMs = Math.max(findings.busyUntilMs, this.#now() + waitMs)
    return !wasBusy && waitMs > 0
  }

  /**
   * A request that surely never left speaks against the worker; one that may have been sent could be a single broken
   * connection; one that was answered speaks for its connections.
   */
  #noteReach(workerId: string, findings: Findings, reach: 'not_sent' | 'maybe_sent' | 'sent'): boolean {
    if (reach === 'sent') {
      findings.connectionFailures = 0
      return false
    }
    findings.connectionFailures += 1
    if (reach === 'maybe_sent' && findings.connectionFailures < FAILURES_UNTIL_SUSPECT) return false
    const wasSuspect = findings.suspectSinceMs !== null
    findings.suspectSinceMs = this.#now()
    this.#unreported.set(workerId, findings.suspectSinceMs)
    return !wasSuspect
  }

  #noteFault(findings: Findings, { epoch, breaker }: { epoch: number; breaker: BreakerConfig }): boolean {
    if (epoch !== findings.epoch) return false
    findings.faultsInRow += 1
    if (findings.open !== null || findings.faultsInRow < breaker.failureThreshold) return false
    findings.open = { untilMs: this.#now() + breaker.openMs, seq: this.#ledger.nextSeq() }
    return true
  }

  /** Without word from the fleet it is tried again after a while, and one fault is enough then. */
  #isOpen(findings: Findings): boolean {
    if (findings.open === null) return false
    if (this.#now() < findings.open.untilMs) return true
    findings.open = null
    findings.faultsInRow -= 1
    return false
  }
}

/** A look at the worker later than our evidence overrules it. */
function isSuspect(findings: Findings, checkedAtMs: number | null): boolean {
  if (findings.suspectSinceMs === null) return false
  if (checkedAtMs === null || checkedAtMs <= findings.suspectSinceMs) return true
  findings.suspectSinceMs = null
  return false
}
