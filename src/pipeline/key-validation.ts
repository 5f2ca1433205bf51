// Keys that nobody here knows, asked of the services of `api_key_validation_urls`: all of them side by side, and any of
// them may accept. What they say is remembered for a while; that they were silent is not.

import { KeyVerdicts, MAX_VERDICTS } from '../access/key-verdicts.ts'
import { OpenQuestions } from '../access/open-questions.ts'
import type { KeyValidationConfig } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import { type Breaker, createBreaker } from '../upstream/breaker.ts'
import { askKeyService, type KeyReply } from '../upstream/key-service.ts'

/** `unknown` while it can't be had: some service is silent, and the others did not accept. */
export type KeyVerdict = 'accepted' | 'refused' | 'unknown' | 'called_off'

/** How often a request looks whether those have heard something that ask about its key. */
const LOOK_MS = 10

/** A question takes no longer than its deadline and what the runtime adds; one that does was dropped. */
const GRACE_MS = 500

/** The request a key came with. */
export interface KeyCheck {
  readonly requestId: string
  /** The client's: fires when it leaves. */
  signal(): AbortSignal
  /** Keeps the runtime alive for a question that nobody waits for. */
  waitUntil(task: Promise<unknown>): void
}

/** A service that did not answer. `service` is its place in the configured list; `why` holds no address and no key. */
export interface KeyServiceFailure {
  readonly requestId: string
  readonly service: number
  readonly why: string
}

export interface KeyValidationOptions {
  readonly settings: KeyValidationConfig
  readonly platform: Pick<Platform, 'now' | 'after' | 'send' | 'classifySendError'>
  onFailure(failure: KeyServiceFailure): void
}

interface Service {
  readonly index: number
  readonly url: string
  readonly breaker: Breaker
}

/** Lives as long as the process or isolate, or until its settings change. */
export class KeyValidation {
  readonly #options: KeyValidationOptions
  readonly #services: readonly Service[]
  readonly #verdicts = new KeyVerdicts()
  readonly #questions: OpenQuestions

  constructor(options: KeyValidationOptions) {
    this.#options = options
    const { now } = options.platform
    this.#questions = new OpenQuestions(options.settings.timeoutMs + GRACE_MS, MAX_VERDICTS)
    this.#services = options.settings.urls.map((url, index) => ({ index, url, breaker: createBreaker({ now }) }))
  }

  get settings(): KeyValidationConfig {
    return this.#options.settings
  }

  /** At once for a key that was asked about lately. Never rejects. */
  check(key: string, digest: string, request: KeyCheck): KeyVerdict | Promise<KeyVerdict> {
    const { settings, platform } = this.#options
    const nowMs = platform.now()
    const refusedAgeMs = this.#verdicts.refusedAgeMs(digest, nowMs)
    if (refusedAgeMs !== null && refusedAgeMs < settings.refusedTtlMs) return 'refused'
    const acceptedAgeMs = this.#verdicts.acceptedAgeMs(digest, nowMs)
    if (acceptedAgeMs === null || acceptedAgeMs >= settings.acceptedTtlMs) return this.#learn(key, digest, request)
    // Asked again beside the requests of a busy key, so that none of them has to wait for the answer.
    if (acceptedAgeMs >= settings.acceptedTtlMs / 2) this.#refresh(key, digest, request)
    return 'accepted'
  }

  /** Asks, or has others ask: each looks by a timer of its own, as on workerd none may wait for another's promise. */
  async #learn(key: string, digest: string, request: KeyCheck): Promise<KeyVerdict> {
    const { platform } = this.#options
    const sinceMs = platform.now()
    while (this.#questions.isFull(digest, platform.now())) {
      await new Promise<void>((resolve) => void platform.after(LOOK_MS, resolve))
      if (request.signal().aborted) return 'called_off'
      const heard = this.#heardSince(digest, sinceMs)
      if (heard !== null) return heard
    }
    return this.#ask(key, digest, request)
  }

  /** What those have heard who ask about the key; null while that is nothing. */
  #heardSince(digest: string, sinceMs: number): KeyVerdict | null {
    const nowMs = this.#options.platform.now()
    const isNew = (ageMs: number | null) => ageMs !== null && ageMs <= nowMs - sinceMs
    if (isNew(this.#verdicts.refusedAgeMs(digest, nowMs))) return 'refused'
    if (isNew(this.#verdicts.acceptedAgeMs(digest, nowMs))) return 'accepted'
    return isNew(this.#verdicts.unansweredAgeMs(digest, nowMs)) ? this.#inOutage(digest, nowMs) : null
  }

  async #ask(key: string, digest: string, request: KeyCheck): Promise<KeyVerdict> {
    const { platform } = this.#options
    const beganAtMs = platform.now()
    this.#questions.begin(digest, beganAtMs)
    const verdict = await this.#askAll(key, request)
    const nowMs = platform.now()
    this.#questions.end(digest, beganAtMs)
    if (verdict === 'accepted') this.#verdicts.noteAccepted(digest, nowMs)
    if (verdict === 'refused') this.#verdicts.noteRefused(digest, nowMs)
    if (verdict !== 'unknown') return verdict
    this.#verdicts.noteUnanswered(digest, nowMs)
    return this.#inOutage(digest, nowMs)
  }

  #inOutage(digest: string, nowMs: number): KeyVerdict {
    const { onOutage, staleMs } = this.#options.settings
    if (onOutage === 'refuse') return 'unknown'
    const ageMs = this.#verdicts.acceptedAgeMs(digest, nowMs)
    return ageMs !== null && ageMs < staleMs ? 'accepted' : 'unknown'
  }

  #refresh(key: string, digest: string, request: KeyCheck): void {
    const { settings, platform } = this.#options
    const nowMs = platform.now()
    const askedAgeMs = this.#verdicts.askedAgeMs(digest, nowMs)
    // The runtime may drop a question that nobody waits for; another request asks when its time is over.
    if (askedAgeMs !== null && askedAgeMs <= settings.timeoutMs) return
    this.#verdicts.noteAsked(digest, nowMs)
    // The client of this request may leave; the answer is for those that come after it.
    const { signal: nobodyLeaves } = new AbortController()
    request.waitUntil(this.#ask(key, digest, { ...request, signal: () => nobodyLeaves }))
  }

  async #askAll(key: string, request: KeyCheck): Promise<KeyVerdict> {
    // Fires when the client leaves, and once somebody has accepted.
    const controller = new AbortController()
    const stop = () => controller.abort()
    const gone = request.signal()
    gone.addEventListener('abort', stop)
    if (gone.aborted) stop()
    try {
      return await firstAcceptance(
        this.#services.map((service) => this.#askOne(service, key, request, controller.signal)),
      )
    } finally {
      gone.removeEventListener('abort', stop)
      stop()
    }
  }

  async #askOne({ index, url, breaker }: Service, key: string, request: KeyCheck, signal: AbortSignal) {
    const { platform, settings, onFailure } = this.#options
    const permit = breaker.enter()
    // An open breaker says nothing new: what opened it has been told.
    if (permit === null) return { kind: 'outage', why: 'open', isOfService: true } as const
    const { requestId } = request
    const reply = await askKeyService(platform, { url, key, requestId, timeoutMs: settings.timeoutMs, signal })
    if (reply.kind === 'outage') onFailure({ requestId, service: index, why: reply.why })
    // A key that makes a service fail must not switch the service off for everybody.
    if (reply.kind === 'called_off' || (reply.kind === 'outage' && !reply.isOfService)) permit.calledOff()
    else if (reply.kind === 'outage') permit.failed()
    else permit.succeeded()
    return reply
  }
}

/** Accepted as soon as one accepts; refused only when all of them refuse: a silent one might have accepted. */
function firstAcceptance(replies: readonly Promise<KeyReply>[]): Promise<KeyVerdict> {
  const together = Promise.all(replies).then((all) => verdictOf(all.map(({ kind }) => kind)))
  // One that does not accept says nothing before the others have spoken.
  return Promise.race(replies.map(async (reply) => ((await reply).kind === 'accepted' ? 'accepted' : together)))
}

function verdictOf(kinds: readonly KeyReply['kind'][]): KeyVerdict {
  if (kinds.includes('accepted')) return 'accepted'
  if (kinds.includes('called_off')) return 'called_off'
  return kinds.includes('outage') ? 'unknown' : 'refused'
}
