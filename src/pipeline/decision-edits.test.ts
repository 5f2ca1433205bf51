import { expect, test } from 'vitest'
import type { ReasoningFamily } from '../config/decision-config.ts'
import type { Decided } from './decided.ts'
import { withDecisionEdits } from './decision-edits.ts'
import type { InferenceRequest } from './inference-request.ts'

const QWEN: ReasoningFamily = { kind: 'chat_template_kwargs', parameter: 'enable_thinking' }
const GRANITE: ReasoningFamily = { kind: 'chat_template_kwargs', parameter: 'thinking' }

test.each<[string, Readonly<Record<string, ReasoningFamily>>, string]>([
  ['by its own name', { base: QWEN, 'base-maths': GRANITE }, '"chat_template_kwargs":{"thinking":true}'],
  ['without one of its own as its model is', { base: QWEN }, '"chat_template_kwargs":{"enable_thinking":true}'],
  ['by effort where neither is listed', {}, '"reasoning_effort":"medium"'],
])('an adapter is told to reason %s', (_, reasoningFamilies, told) => {
  const body = '{"model":"base-maths","messages":[]}'
  const bytes = new TextEncoder().encode(body)
  // What is read of the two: the body for a model, and what the decision says of that model.
  const request = { json: JSON.parse(body), bodyFor: () => bytes } as unknown as InferenceRequest
  const ref = { model: 'base-maths', baseModel: 'base', usesReasoning: true, reasoningEffort: null, weight: null }
  const decision = { models: [ref], plugins: { systemPrompt: null } }
  const decided = { decision, canReason: true } as unknown as Decided
  const edited = withDecisionEdits(request, decided, { route: '/v1/chat/completions', reasoningFamilies })
  expect(new TextDecoder().decode(edited.bodyFor('base-maths') as Uint8Array)).toContain(told)
})
