// What a decision changes in a request on its way to a model: how it is to reason, and what it is told beforehand. Edits of
// the named fields in the body's own bytes; everything else goes on as it came.

import type { DecisionsConfig, ReasoningFamily, SystemPromptConfig } from '../config/decision-config.ts'
import { type JsonBody, parseJsonBody } from '../dialect/json-body.ts'
import { spliceMembers } from '../dialect/splice.ts'
import { setNestedMember, setSystemPrompt, type SystemPlace } from '../dialect/splice-nested.ts'
import { type Decided, reasoningOf, refOf } from './decided.ts'
import type { InferenceRequest, WorkerBody } from './inference-request.ts'

/** Where a request says how hard to think: a member of its own, or one inside another. */
type EffortPlace = readonly [member: string] | readonly [object: string, member: string]

interface Places {
  readonly system: SystemPlace
  readonly effort: EffortPlace
}

// vLLM takes no effort on Anthropic's routes, but hands on what the chat template wants, which reads it there.
const ANTHROPIC: Places = { system: 'system', effort: ['chat_template_kwargs', 'reasoning_effort'] }

/** Where each route keeps what is edited; other routes have no such thing. */
const PLACES: Readonly<Record<string, Places>> = {
  '/v1/chat/completions': { system: 'messages', effort: ['reasoning_effort'] },
  '/v1/responses': { system: 'instructions', effort: ['reasoning', 'effort'] },
  '/v1/messages': ANTHROPIC,
  '/v1/messages/count_tokens': ANTHROPIC,
}

/** Whether a request of a route has a place that says how hard to think. */
export function canReason(route: string | null): boolean {
  return Object.hasOwn(PLACES, route ?? '')
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
  readonly place: Places
  readonly prompt: SystemPromptConfig | null
  readonly decided: Decided
}

function edited(own: WorkerBody, { model, place, prompt, decided, reasoningFamilies }: Edits): WorkerBody {
  if (!(own instanceof Uint8Array)) return own
  const ref = refOf(decided, model)
  const told = prompt === null ? own : setSystemPrompt(parseJsonBody(own), place.system, prompt)
  const mode = reasoningOf(decided, model)
  if (ref === null || mode === null) return told
  // An adapter that is listed itself may have a template of its own; others are as their model is.
  const listed = [ref.model, ref.baseModel].find((name) => Object.hasOwn(reasoningFamilies, name))
  const family = listed === undefined ? undefined : reasoningFamilies[listed]
  return withReasoning(parseJsonBody(told), place.effort, { mode, family })
}

interface Reasoning {
  readonly mode: 'off' | 'low' | 'medium' | 'high'
  /** Undefined for a model that the configuration says nothing of. */
  readonly family: ReasoningFamily | undefined
}

function withReasoning(body: JsonBody, effort: EffortPlace, { mode, family }: Reasoning): Uint8Array<ArrayBuffer> {
  if (family?.kind === 'chat_template_kwargs') {
    return setNestedMember(body, 'chat_template_kwargs', family.parameter, mode !== 'off')
  }
  // The least there is: models that are told by effort can't be told not to reason at all. One that nothing is known of
  // may be no such model; it is told only where the request would tell it something else.
  if (mode === 'off' && family === undefined && !asksToReason(body.value, effort)) return body.bytes
  const value = mode === 'off' ? 'low' : mode
  const [member, inner] = effort
  if (inner === undefined) return spliceMembers(body, new Map([[member, value]]))
  return setNestedMember(body, member, inner, value)
}

function asksToReason(body: Readonly<Record<string, unknown>>, [member, inner]: EffortPlace): boolean {
  const said = body[member]
  if (inner === undefined) return typeof said === 'string'
  return typeof said === 'object' && said !== null && inner in said
}
