// What a decision changes in a request on its way to a model: how it is to reason, and what it is told beforehand. Edits of
// the named fields in the body's own bytes; everything else goes on as it came.

import type { DecisionsConfig, ReasoningFamily, SystemPromptConfig } from '../config/decision-config.ts'
import { type JsonBody, parseJsonBody } from '../dialect/json-body.ts'
import { spliceMembers } from '../dialect/splice.ts'
import { setNestedMember, setSystemPrompt, type SystemPlace } from '../dialect/splice-nested.ts'
import { type Decided, reasoningOf, refOf } from './decided.ts'
import type { InferenceRequest, WorkerBody } from './inference-request.ts'

/** Where each route keeps what is edited; other routes have no such thing. */
const PLACES: Readonly<Record<string, { readonly system: SystemPlace; readonly effort: 'top' | 'reasoning' | null }>> =
  {
    '/v1/chat/completions': { system: 'messages', effort: 'top' },
    '/v1/responses': { system: 'instructions', effort: 'reasoning' },
    // vLLM takes no effort there, but passes on what the chat template wants.
    '/v1/messages': { system: 'system', effort: null },
    '/v1/messages/count_tokens': { system: 'system', effort: null },
  }

/** The request with the edits of its decision; for each model its own. */
export function withDecisionEdits(
  request: InferenceRequest,
  decided: Decided,
  { route, reasoningFamilies }: { readonly route: string | null } & Pick<DecisionsConfig, 'reasoningFamilies'>,
): InferenceRequest {
  const place = PLACES[route ?? '']
  const prompt = decided.decision?.plugins.systemPrompt ?? null
  if (place === undefined || decided.decision === null || request.json === null) return request
  let last: { readonly own: WorkerBody; readonly model: string | null; readonly bytes: WorkerBody } | null = null
  return {
    ...request,
    bodyFor(model) {
      const own = request.bodyFor(model)
      // Attempts after the first mostly want the same body again, and bodies are big.
      if (last?.own !== own || last.model !== model) {
        last = { own, model, bytes: edited(own, { model, place, prompt, decided, reasoningFamilies }) }
      }
      return last.bytes
    },
  }
}

interface Edits extends Pick<DecisionsConfig, 'reasoningFamilies'> {
  readonly model: string | null
  readonly place: NonNullable<(typeof PLACES)[string]>
  readonly prompt: SystemPromptConfig | null
  readonly decided: Decided
}

function edited(own: WorkerBody, { model, place, prompt, decided, reasoningFamilies }: Edits): WorkerBody {
  if (!(own instanceof Uint8Array)) return own
  const ref = refOf(decided, model)
  const told = prompt === null ? own : setSystemPrompt(parseJsonBody(own), place.system, prompt)
  const mode = reasoningOf(decided, model)
  if (ref === null || mode === null) return told
  const family = Object.hasOwn(reasoningFamilies, ref.baseModel) ? reasoningFamilies[ref.baseModel] : undefined
  return withReasoning(parseJsonBody(told), place.effort, { mode, family })
}

interface Reasoning {
  readonly mode: 'off' | 'low' | 'medium' | 'high'
  /** Undefined for a model that the configuration says nothing of. */
  readonly family: ReasoningFamily | undefined
}

function withReasoning(
  body: JsonBody,
  effort: 'top' | 'reasoning' | null,
  { mode, family }: Reasoning,
): Uint8Array<ArrayBuffer> {
  if (family?.kind === 'chat_template_kwargs') {
    return setNestedMember(body, 'chat_template_kwargs', family.parameter, mode !== 'off')
  }
  // The least there is: models that are told by effort can't be told not to reason at all. One that nothing is known of
  // may be no such model; it is told only where the request would tell it something else.
  if (mode === 'off' && family === undefined && !asksToReason(body.value, effort)) return body.bytes
  const value = mode === 'off' ? 'low' : mode
  if (effort === 'top') return spliceMembers(body, new Map([['reasoning_effort', value]]))
  return effort === 'reasoning' ? setNestedMember(body, 'reasoning', 'effort', value) : body.bytes
}

function asksToReason(body: Readonly<Record<string, unknown>>, effort: 'top' | 'reasoning' | null): boolean {
  if (effort === 'top') return typeof body['reasoning_effort'] === 'string'
  const { reasoning } = body
  return effort === 'reasoning' && typeof reasoning === 'object' && reasoning !== null && 'effort' in reasoning
}
