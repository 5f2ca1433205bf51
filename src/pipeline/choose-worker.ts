// Whom an attempt of one request goes to: decisions among the candidates that it has not used yet.

import type { WorkerConfig } from '../config/config.ts'
import { decide, type DecisionInput } from '../routing/decide.ts'
import type { LmcacheFact } from '../routing/cache-facts.ts'
import type { CandidateView } from '../routing/policy.ts'
import type { DecisionTrace, Exchange } from './exchange.ts'
import type { Facts } from './facts.ts'
import type { RouterParts } from './router-parts.ts'
import { SPAN_ROUTING_DECIDE } from '../tracing/span-names.ts'
import { beginStage, describeDecision } from './tracing.ts'

/** A decision that chose somebody, not yet acted upon. */
export interface Choice {
  readonly candidate: CandidateView
  readonly worker: WorkerConfig
  readonly model: string | null
  readonly trace: DecisionTrace
}

export interface ChooserOptions {
  readonly facts: Facts
  readonly pinnedWorkerId: string | null
}

/**
 * Decides as things are now, and does nothing about it. Live requests, their retries and dry runs all decide here; `seed`
 * is an integer from 0 up to 2^32.
 */
export function decideNow(
  { mirror, config }: Pick<RouterParts, 'mirror' | 'config'>,
  input: DecisionInput,
  seed: number,
): DecisionTrace {
  const view = mirror.view()
  const { policy, health } = config
  const { panicThreshold, usesOpenLast } = health
  const decision = decide(input, { policy, panicThreshold, usesOpenLast }, view, seed)
  return { input, decision, seed, view }
}

/** What a decision on one model is made from, with what is known of the prompt's caches now. */
export function toInput(
  { prompt, ...known }: Facts,
  about: Pick<DecisionInput, 'model' | 'tried' | 'pinnedWorkerId'>,
): DecisionInput {
  const lmcache = about.model === known.model ? known.lmcache : ofAnotherModel(known.lmcache)
  return { ...known, ...about, lmcache, prefix: prompt?.factFor(about.model) ?? null }
}

/** How full caches are is true for every model; what they hold of a prompt is not. */
function ofAnotherModel(lmcache: LmcacheFact | null): LmcacheFact | null {
  return lmcache && { ...lmcache, matchedTokens: null, promptTokens: null }
}

export function drawSeed({ platform }: Pick<RouterParts, 'platform'>): number {
  return Math.floor(platform.random() * 0x1_0000_0000)
}

export class WorkerChooser {
  readonly #parts: RouterParts
  readonly #exchange: Exchange
  readonly #options: ChooserOptions
  /** Candidates of the workers used so far; a worker gets one attempt of a request at most, whatever its ranks. */
  readonly #tried: string[] = []

  constructor(parts: RouterParts, exchange: Exchange, options: ChooserOptions) {
    this.#parts = parts
    this.#exchange = exchange
    this.#options = options
  }

  /** Decides as things are now. Null when nobody is left. */
  choose(model: string | null): Choice | null {
    const { mirror } = this.#parts
    const { facts, pinnedWorkerId } = this.#options
    const input = toInput(facts, { model, tried: [...this.#tried], pinnedWorkerId })
    const span = beginStage(this.#exchange, SPAN_ROUTING_DECIDE)
    const trace = decideNow(this.#parts, input, drawSeed(this.#parts))
    const { decision } = trace
    if (span !== null) describeDecision(span, this.#exchange, decision)
    const worker = decision.chosen === null ? null : mirror.worker(decision.chosen.workerId)
    if (decision.chosen !== null && worker !== null) {
      if (decision.chosen.hasPermit) mirror.reservePermit(worker.id)
      return { candidate: decision.chosen, worker, model, trace }
    }
    // A decision for nobody is kept only when it was the first: later ones explain less than the attempt before them.
    if (this.#tried.length === 0) this.#exchange.trace ??= trace
    return null
  }

  /** The first of these models that has somebody. */
  chooseAmong(models: readonly (string | null)[]): Choice | null {
    for (const model of models) {
      const choice = this.choose(model)
      if (choice !== null) return choice
    }
    return null
  }

  noteTried(workerId: string): void {
    this.#tried.push(...this.#parts.mirror.candidatesOf(workerId))
  }
}
