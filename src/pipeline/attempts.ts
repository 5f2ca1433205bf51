// The attempts of one request: decide, try a worker, and on a failure that allows it decide again without that worker,
// within the request's own limits and the budget that all requests share.

import type { Span } from '../tracing/request-trace.ts'
import { RouterError } from '../errors/router-error.ts'
import { backoffMs, mayRetry, mayTryAgain, spendsBudget, TLS_REASON, UNTOLD_REASON } from '../upstream/retry.ts'
import { attempt, noteChoice } from './attempt.ts'
import { type AttemptFailure, type AttemptResult, dropAnswer, noteEnd } from './attempt-result.ts'
import { type Choice, WorkerChooser } from './choose-worker.ts'
import { deliver } from './deliver.ts'
import type { Exchange } from './exchange.ts'
import type { Facts } from './facts.ts'
import { firstToAnswer } from './hedge.ts'
import type { InferenceRequest } from './inference-request.ts'
import { beginForward } from './tracing.ts'
import { readLastAnswer } from './read-answer.ts'
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

class AttemptLoop {
  readonly #parts: RouterParts
  readonly #exchange: Exchange
  readonly #request: InferenceRequest
  readonly #chooser: WorkerChooser
  readonly #facts: Facts
  #attempts = 0
  /** Attempts that surely never left. */
  #unsent = 0
  #repeats = 0
  /** What the spans of attempts are below; null when the request is not traced. */
  #forward: Span | null = null

  constructor(parts: RouterParts, exchange: Exchange, request: InferenceRequest, facts: Facts) {
    this.#parts = parts
    this.#exchange = exchange
    this.#request = request
    this.#facts = facts
    this.#chooser = new WorkerChooser(parts, exchange, { facts, pinnedWorkerId: request.pinnedWorkerId })
  }

  async run(): Promise<Response> {
    this.#parts.retryBudget.noteRequest()
    this.#parts.hedgeBudget?.noteRequest()
    const first = this.#chooser.chooseAmong([this.#exchange.model, ...this.#exchange.nextModels])
    if (first === null) throw this.#noWorker()
    let choice = first
    this.#forward = beginForward(this.#exchange)
    for (;;) {
      const { answered, failure } = await this.#tryHedged(choice)
      if (failure === null) return deliver(this.#parts, this.#exchange, this.#request, answered)
      const next = await this.#nextAfter(failure).catch((error: unknown) => {
        dropFailed(failure)
        throw error
      })
      if (next === null) return this.#giveUp(failure)
      // The earlier attempt is over before the next begins: never two at work on one request.
      dropFailed(failure)
      choice = next
    }
  }

  #begin(choice: Choice, superseded: AbortSignal | null): Promise<AttemptResult> {
    const { candidate, worker, model, trace } = choice
    this.#chooser.noteTried(worker.id)
    this.#attempts += 1
    if (model !== this.#exchange.model) this.#leaveChainAt(model)
    noteChoice(this.#exchange, { candidate, worker, model, trace })
    const { retry, hedge } = this.#parts.config
    // A hedge waits for the first byte; of a stream that is its first event, as vLLM sends headers at once.
    const isGated = retry.gate === 'first_event' || hedge !== null
    const { prompt = null } = this.#facts
    const options = { candidate, worker, model, trace, isGated, superseded, prompt, forward: this.#forward }
    return attempt(this.#parts, this.#exchange, this.#request, options)
  }

  #tryHedged(choice: Choice): Promise<AttemptResult> {
    const { hedge } = this.#parts.config
    if (hedge === null || !this.#request.canResend) return this.#begin(choice, null)
    return firstToAnswer({
      first: (superseded) => this.#begin(choice, superseded),
      afterMs: hedge.afterMs,
      platform: this.#parts.platform,
      second: () => {
        const other = this.#chooser.choose(choice.model)
        if (other === null || this.#parts.hedgeBudget?.take() !== true) return null
        return (superseded) => this.#begin(other, superseded)
      },
    })
  }

  /** A model of the chain that is tried now is not tried again, nor are those before it, which had nobody. */
  #leaveChainAt(model: string | null): void {
    const at = model === null ? -1 : this.#exchange.nextModels.indexOf(model)
    if (at !== -1) this.#exchange.nextModels.splice(0, at + 1)
  }

  /** Who is tried after a failure; null when nobody may be. Waits only where somebody may. */
  async #nextAfter(failure: AttemptFailure): Promise<Choice | null> {
    const { retryBudget } = this.#parts
    if (failure.class === 'not_sent') this.#unsent += 1
    const models = this.#modelsAfter(failure)
    const early = this.#chooser.chooseAmong(models)
    if (early === null) return null
    const isFree = !spendsBudget(failure.class)
    if (!isFree && !retryBudget.hasRoom()) return this.#refuseRetry()
    // Who was best before a wait need not be after it.
    const next = (await this.#backOff(failure)) ? this.#chooser.chooseAmong(models) : early
    if (next === null) return null
    if (!isFree && !retryBudget.take()) return this.#refuseRetry()
    if (failure.class === 'maybe_sent') this.#repeats += 1
    return next
  }

  #refuseRetry(): null {
    this.#exchange.isRetryRefused = true
    return null
  }

  /** The models that may be tried after a failure, in this order. */
  #modelsAfter(failure: AttemptFailure): readonly (string | null)[] {
    const { retry } = this.#parts.config
    const { model, nextModels } = this.#exchange
    const use = { attempts: this.#attempts - this.#unsent, repeats: this.#repeats }
    if (!this.#canSendAgain(failure) || !mayTryAgain(failure.class, use, retry)) return []
    const same = mayRetry(failure.class, use, retry) ? [model] : []
    // The last try belongs to the next model of a chain, or a model with many workers would never let it have one.
    const isLast = failure.class !== 'not_sent' && use.attempts === retry.maxRetries
    return isLast ? [...nextModels, ...same] : [...same, ...nextModels]
  }

  #canSendAgain(failure: AttemptFailure): boolean {
    const { canResend, isBodyUntouched } = this.#request
    return canResend || (failure.class === 'not_sent' && isBodyUntouched?.() === true)
  }

  /** Resolves with whether there was a wait. Throws when the client leaves meanwhile. */
  async #backOff(failure: AttemptFailure): Promise<boolean> {
    const { platform, config } = this.#parts
    const waitMs = backoffMs(failure.class, this.#attempts, config.retry, platform.random)
    if (waitMs === 0) return false
    const { signal } = this.#request
    await new Promise<void>((resolve) => {
      const callOff = platform.after(waitMs, resolve)
      const leave = () => {
        callOff()
        resolve()
      }
      signal.addEventListener('abort', leave, { once: true })
      if (signal.aborted) leave()
    })
    if (signal.aborted) throw new RouterError('client_closed_request', 'The client closed the connection.')
    return true
  }

  async #giveUp(failure: AttemptFailure): Promise<Response> {
    this.#exchange.hasSpentTries = this.#attempts > 1 || this.#exchange.isRetryRefused
    if (failure.answered === null) throw this.#isNobodyThere(failure) ? this.#noWorker() : failure.error
    const last = await readLastAnswer(failure.answered, this.#request)
    if (last.failure === null) return deliver(this.#parts, this.#exchange, this.#request, last.answered)
    dropFailed(failure)
    noteEnd(failure.answered.line, last.failure)
    throw last.failure.error
  }

  /** Whether a failed connection means, for the caller, that nobody was there: 503, not 502. */
  #isNobodyThere({ class: failure, outcome, reason }: AttemptFailure): boolean {
    // Somebody is there, and waiting won't mend a certificate.
    if (reason === TLS_REASON) return false
    if (failure === 'not_sent') return true
    if (failure !== 'maybe_sent' || outcome !== 'unreachable') return false
    // A lone worker that surely had the request may have run it, and 502 says so. Where the runtime can't tell that from
    // a worker that is gone, and where every worker there is has failed, it is the fleet that is missing.
    if (this.#attempts === 1 && reason !== UNTOLD_REASON) return false
    return this.#chooser.chooseAmong([this.#exchange.model, ...this.#exchange.nextModels]) === null
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

function dropFailed({ answered }: AttemptFailure): void {
  if (answered !== null) dropAnswer(answered)
}
