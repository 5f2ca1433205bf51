// Token ids of a prompt, as a worker of its model makes them: by its render route where it has one, since that sees all of
// a request that a template may see, else by its tokenizer route.

import type { WorkerConfig } from '../config/config.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import { askService, type ServiceFailure } from './json-service.ts'
import type { TraceHeaders } from '../tracing/trace-headers.ts'
import { type BoundPlatform, serviceThrough } from './through-binding.ts'

export interface TokenizeQuestion {
  readonly worker: Pick<WorkerConfig, 'id' | 'url' | 'apiKey' | 'binding'>
  /** Null for the worker's own. */
  readonly model: string | null
  /** Of the body, what its template sees: `messages` and what belongs to them, or `prompt`. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly trace?: TraceHeaders
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export type TokenizeReply = { readonly kind: 'answer'; readonly answer: readonly number[] } | ServiceFailure

export interface Tokenizer {
  /** Never rejects, and never takes longer than the time given. */
  tokenize(question: TokenizeQuestion): Promise<TokenizeReply>
  /** Whether a worker would be asked now: false while it fails. */
  isAsked(workerId: string): boolean
}

/** How long a worker without a render route is taken to have none. */
const NO_RENDER_MS = 600_000

interface WorkerBreakers {
  readonly tokenize: Breaker
  /** Opens at once: as a rule a worker without the route answers 404, and will again. */
  readonly render: Breaker
}

export function createTokenizer(platform: BoundPlatform): Tokenizer {
  const byWorker = new Map<string, WorkerBreakers>()
  const now = () => platform.now()
  const breakersOf = (workerId: string): WorkerBreakers => {
    const known = byWorker.get(workerId)
    if (known !== undefined) return known
    const render = createBreaker({ now, failuresToOpen: 1, openMs: NO_RENDER_MS })
    const made = { tokenize: createBreaker({ now }), render }
    byWorker.set(workerId, made)
    return made
  }
  return {
    isAsked: (workerId) => byWorker.get(workerId)?.tokenize.state() !== 'open',
    async tokenize({ worker, model, fields, trace, timeoutMs, signal }) {
      const untilMs = now() + timeoutMs
      const { tokenize, render } = breakersOf(worker.id)
      const through = serviceThrough(platform, worker.binding)
      const question = {
        url: `${worker.url}${renderPath(fields)}`,
        apiKey: worker.apiKey,
        body: { ...(model === null ? {} : { model }), ...fields },
        trace,
        signal,
      }
      const rendered = await askService(
        through,
        render,
        // Tensors of images are of no use here.
        { ...question, body: { ...question.body, return_mm_kwargs: false }, timeoutMs },
        readIds,
      )
      if (rendered.kind === 'answer' || rendered.reason === 'aborted') return rendered
      const leftMs = untilMs - now()
      if (leftMs <= 0) return rendered
      return askService(through, tokenize, { ...question, url: `${worker.url}/tokenize`, timeoutMs: leftMs }, readIds)
    },
  }
}

function renderPath(fields: TokenizeQuestion['fields']): string {
  return Object.hasOwn(fields, 'messages') ? '/v1/chat/completions/render' : '/v1/completions/render'
}

/** `tokens` of the tokenizer route; `token_ids` of a rendered chat, in a list for prompts. */
export function readIds(answer: unknown): readonly number[] | null {
  const [first] = Array.isArray(answer) ? (answer as readonly unknown[]) : [answer] // of anything
  if (typeof first !== 'object' || first === null) return null
  const { tokens, token_ids: rendered }: { readonly tokens?: unknown; readonly token_ids?: unknown } = first
  const ids = tokens ?? rendered
  return isIds(ids) ? ids : null
}

/** Whether it is a list of token ids. */
export function isIds(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0)
}
