// How many tokens a request is charged: an estimate when it comes, a better one when its body is known, and what the
// worker counted at its end.

import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'

/** What of a route costs tokens. */
export type TokenUse = 'none' | 'prompt' | 'prompt_and_answer'

/** A rule of thumb for text in JSON. */
const BYTES_PER_TOKEN = 4

/** A body may hold images, whose bytes say nothing about tokens; what a long text costs more is charged at its end. */
const MAX_PROMPT_ESTIMATE = 8_192

/** For a body of unknown length. */
const PROMPT_ESTIMATE = 512

/** An answer of unknown length; most callers ask for far more than they get. */
const ANSWER_ESTIMATE = 256
const MAX_ANSWER_ESTIMATE = 1_024

/** Of what a tenant has a minute, the most that one request is thought to use. */
const MAX_PART = 1 / 4

export interface TokenEstimate {
  readonly prompt: number
  readonly answer: number
}

/** What is thought before the body is read. */
export function estimateAtArrival({
  tokenUse,
  requestBytes,
}: Pick<Exchange, 'tokenUse' | 'requestBytes'>): TokenEstimate {
  return {
    prompt: promptEstimate(tokenUse, requestBytes),
    answer: tokenUse === 'prompt_and_answer' ? ANSWER_ESTIMATE : 0,
  }
}

/** What is thought once the body is known. */
export function estimateFromBody(
  { tokenUse, requestBytes }: Pick<Exchange, 'tokenUse' | 'requestBytes'>,
  { json, bodyFor }: Pick<InferenceRequest, 'json' | 'bodyFor'>,
): TokenEstimate {
  // One that streams is not to be touched.
  const body = json === null ? null : bodyFor(null)
  const prompt = promptEstimate(tokenUse, body instanceof Uint8Array ? body.length : requestBytes)
  if (tokenUse !== 'prompt_and_answer') return { prompt, answer: 0 }
  const asked = LENGTH_FIELDS.map((name) => countIn(json, name)).find((count) => count !== null) ?? ANSWER_ESTIMATE
  const answers = Math.max(1, countIn(json, 'n') ?? 1, countIn(json, 'best_of') ?? 1)
  return { prompt, answer: Math.min(MAX_ANSWER_ESTIMATE, asked * answers) }
}

/** An estimate as it is charged to a tenant. */
export function chargeOf({ prompt, answer }: TokenEstimate, tokensPerMinute: number): number {
  return Math.min(prompt + answer, Math.max(1, Math.ceil(tokensPerMinute * MAX_PART)))
}

/** What a request has used when it ends: as the worker counted, else as much as is known. */
export function tokensUsed(exchange: Exchange): number {
  const { usage, streamed, tokenEstimate: estimate } = exchange
  if (usage !== null && streamed?.isComplete !== false) return totalOf(usage)
  // Counted so far, and about one for each event that came: more is not known of an answer that was cut off.
  const prompt = usage?.promptTokens ?? estimate?.prompt ?? 0
  if (streamed !== null) return prompt + Math.max(usage?.completionTokens ?? 0, streamed.events)
  return hasCostNothing(exchange) ? 0 : prompt + (estimate?.answer ?? 0)
}

/** What a client asks for, by dialect. */
const LENGTH_FIELDS = ['max_completion_tokens', 'max_tokens', 'max_output_tokens']

function promptEstimate(tokenUse: TokenUse, bytes: number | null): number {
  if (tokenUse === 'none') return 0
  return bytes === null ? PROMPT_ESTIMATE : Math.min(MAX_PROMPT_ESTIMATE, Math.ceil(bytes / BYTES_PER_TOKEN))
}

function countIn(json: InferenceRequest['json'], name: string): number | null {
  const value = json !== null && Object.hasOwn(json, name) ? json[name] : null
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.ceil(value) : null
}

function totalOf({ promptTokens, completionTokens, totalTokens }: NonNullable<Exchange['usage']>): number {
  return totalTokens ?? (promptTokens ?? 0) + (completionTokens ?? 0)
}

/** No worker has worked on it: it never got to one, or the last one declined it or could not be reached. */
function hasCostNothing({ attempts }: Exchange): boolean {
  const last = attempts.at(-1)
  return last === undefined || last.outcome === 'unreachable' || (last.status !== null && last.status >= 400)
}
