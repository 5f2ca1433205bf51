// The attempts of one request: decide, try a worker, and on a failure that allows it decide again without that worker,
// within the request's own limits and the budget that all requests share.

import type { WorkerConfig } from '../config/config.ts'
import { RouterError } from '../errors/router-error.ts'
import { decide } from '../routing/decide.ts'
import type { CandidateView } from '../routing/policy.ts'
import { backoffMs, mayRetry, mayTryAgain, spendsBudget } from '../upstream/retry.ts'
import { attempt, type AttemptFailure, type AttemptResult, dropAnswer, noteChoice } from './attempt.ts'
import { deliver } from './deliver.ts'
import type { DecisionTrace, Exchange } from './exchange.ts'
import type { Facts } from './facts.ts'
import { firstToAnswer } from './hedge.ts'
import type { InferenceRequest } from './inference-request.ts'
import { RETRY_AFTER_SECONDS } from './resolve-model.ts'
import type { RouterParts } from './router-parts.ts'

/** Tries workers until one answers. Throws the last failure when nobody is left, or nothing may be tried again. */
export function runAttempts(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  facts: Facts,
): Promise<Response> {
  return new AttemptLoop(parts, exchange, request, facts).run()
}

/** A decision that chose somebody, not yet acted upon. */
interface Choice {
  readonly candidate: CandidateView
  readonly worker: WorkerConfig
  readonly model: string | null
  readonly trace: DecisionTrace
}

class AttemptLoop {
  readonly #parts: RouterParts
  readonly #exchange: Exchange
  readonly #request: InferenceRequest
  readonly #facts: Facts
  /** Candidates of the workers used so far; a worker gets one attempt of a request at most, whatever its ranks. */
  readonly #tried: string[] = []
  #attempts = 0
  /** Attempts that surely never left. */
  #unsent = 0
  #repeats = 0

  constructor(parts: RouterParts, exchange: Exchange, request: InferenceRequest, facts: Facts) {
    this.#parts = parts
    this.#exchange = exchange
    this.#request = request
    this.#facts = facts
  }

  async run(): Promise<Response> {
    this.#parts.retryBudget.noteRequest()
    this.#parts.hedgeBudget?.noteRequest()
    let choice = this.#choose(this.#exchange.model) ?? this.#chooseNextModel()
    if (choice === null) throw this.#noWorker()
    for (;;) {
      const { answered, failure } = await this.#tryHedged(choice)
      if (failure === null) return deliver(this.#parts, this.#exchange, this.#request, answered)
      const next = this.#nextAfter(failure)
      if (next === null) return this.#giveUp(failure)
      // The earlier attempt is over before the next begins: never two at work on one request.
      if (failure.answered !== null) dropAnswer(failure.answered)
      await this.#backOff(failure)
      choice = next
    }
  }

  /** Decides among the candidates not tried yet. Null when none is left. */
  #choose(model: string | null): Choice | null {
    const { mirror, platform, config } = this.#parts
    const view = mirror.view()
    const seed = Math.floor(platform.random() * 0x1_0000_0000)
    const input = { model, ...this.#facts, tried: [...this.#tried], pinnedWorkerId: this.#request.pinnedWorkerId }
    const decision = decide(input, { policy: config.policy }, view, seed)
    const trace = { input, decision, seed, view: { source: view.source, ageMs: view.ageMs } }
    const worker = decision.chosen === null ? null : mirror.worker(decision.chosen.workerId)
    if (decision.chosen !== null && worker !== null) return { candidate: decision.chosen, worker, model, trace }
    // A decision for nobody is kept only when it was the first: later ones explain less than the attempt before them.
    if (this.#tried.length === 0) this.#exchange.trace = trace
    return null
  }

  /** The first model of an `on_failure` chain that has a candidate. */
  #chooseNextModel(): Choice | null {
    for (
      let model = this.#exchange.nextModels.shift();
      model !== undefined;
      model = this.#exchange.nextModels.shift()
    ) {
      const choice = this.#choose(model)
      if (choice !== null) return choice
    }
    return null
  }

  #begin(choice: Choice, superseded: AbortSignal | null): Promise<AttemptResult> {
    const { candidate, worker, model, trace } = choice
    this.#tried.push(...this.#parts.mirror.candidatesOf(worker.id))
    this.#attempts += 1
    noteChoice(this.#exchange, { candidate, worker, model, trace })
    const { retry, hedge } = this.#parts.config
    // A hedge waits for the first byte; of a stream that is its first event, as vLLM sends headers at once.
    const isGated = retry.gate === 'first_event' || hedge !== null
    return attempt(this.#parts, this.#exchange, this.#request, { candidate, worker, model, trace, isGated, superseded })
  }

  async #tryHedged(choice: Choice): Promise<AttemptResult> {
    const { hedge } = this.#parts.config
    if (hedge === null || !this.#request.canResend) return this.#begin(choice, null)
    return firstToAnswer({
      first: (superseded) => this.#begin(choice, superseded),
      afterMs: hedge.afterMs,
      platform: this.#parts.platform,
      second: () => {
        const other = this.#choose(choice.model)
        if (other === null || this.#parts.hedgeBudget?.take() !== true) return null
        return (superseded) => this.#begin(other, superseded)
      },
    })
  }

  /** Who is tried after a failure; null when nobody may be. */
  #nextAfter(failure: AttemptFailure): Choice | null {
    const { config, retryBudget } = this.#parts
    if (failure.class === 'final' || !this.#request.canResend) return null
    if (failure.class === 'not_sent') this.#unsent += 1
    const use = { attempts: this.#attempts - this.#unsent, repeats: this.#repeats }
    if (!mayTryAgain(failure.class, use, config.retry)) return null
    // The last try belongs to the next model of a chain, or a model with many workers would never let it have one.
    const isLast = failure.class !== 'not_sent' && use.attempts === config.retry.maxRetries
    const early = isLast ? this.#chooseNextModel() : null
    const same =
      early === null && mayRetry(failure.class, use, config.retry) ? this.#choose(this.#exchange.model) : null
    const next = early ?? same ?? this.#chooseNextModel()
    if (next === null) return null
    if (spendsBudget(failure.class) && !retryBudget.take()) {
      this.#exchange.isRetryRefused = true
      return null
    }
    if (failure.class === 'maybe_sent') this.#repeats += 1
    return next
  }

  async #backOff(failure: AttemptFailure): Promise<void> {
    const { platform, config } = this.#parts
    const waitMs = backoffMs(failure.class, this.#attempts, config.retry, platform.random)
    if (waitMs === 0) return
    const { signal } = this.#request
    await new Promise<void>((resolve) => {
      const callOff = platform.after(waitMs, resolve)
      signal.addEventListener('abort', () => {
        callOff()
        resolve()
      })
    })
  }

  #giveUp(failure: AttemptFailure): Promise<Response> {
    this.#exchange.hasSpentTries = this.#attempts > 1 || this.#exchange.isRetryRefused
    // Nothing was ever sent, so for the caller nobody was there.
    if (failure.class === 'not_sent') throw this.#noWorker()
    if (failure.answered === null) throw failure.error
    return deliver(this.#parts, this.#exchange, this.#request, failure.answered)
  }

  #noWorker(): RouterError {
    const { model } = this.#exchange
    const message =
      this.#request.pinnedWorkerId === null
        ? `No worker for ${model === null ? 'this request' : 'this model'} is available at the moment.`
        : 'The worker that holds this response is not available at the moment.'
    return new RouterError('no_worker', message, { retryAfterSeconds: RETRY_AFTER_SECONDS })
  }
}
