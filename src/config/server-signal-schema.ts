// Signals that take a server: what their rules can say. Which server answers is the business of the sources.

import * as z from 'zod'
import { flag, list, text } from './scalars.ts'
import { signalName } from './signal-name.ts'

const share = () => {
  const error = 'must be a number from 0 to 1'
  return z.number({ error }).min(0, { error }).max(1, { error })
}

const embeddingRule = z.strictObject({
  name: signalName(),
  description: text().optional(),
  threshold: share().default(0.75),
  candidates: list(text(), '["How do I reset my password?"]').min(1, { error: 'lists no text to compare with' }),
  aggregation_method: z.enum(['mean', 'max', 'any']).default('max'),
  /** What of a request is compared. Only texts are: a rule about images stays unknown, with a warning. */
  query_modality: z.enum(['text', 'image']).optional(),
})

const modelScore = z.strictObject({ model: text(), score: share().optional(), use_reasoning: flag().optional() })

const domainRule = z.strictObject({
  name: signalName(),
  description: text().optional(),
  /** Labels of the classifier that stand for it; its own name where none are listed. */
  mmlu_categories: list(text(), '[math, physics]').optional(),
  /** The semantic router's, which has a model's score there; here `modelRefs` say which model it is. */
  model_scores: list(modelScore, '[{model: llama-3.1-8b, score: 0.7}]').optional(),
})

const labelRule = z.strictObject({ name: signalName(), description: text().optional() })

const preferenceRule = z.strictObject({
  name: signalName(),
  description: text().optional(),
  examples: list(text(), '["Write me a poem"]').default([]),
  /** The semantic router's, for similarity to examples; here a model names the route, which has no score. */
  threshold: share().optional(),
})

export const serverSignalShape = {
  embeddings: list(embeddingRule, '[{name: support, candidates: [...]}]').default([]),
  domains: list(domainRule, '[{name: math}]').default([]),
  fact_check: list(labelRule, '[{name: needs_fact_check}]').default([]),
  user_feedbacks: list(labelRule, '[{name: wrong_answer}]').default([]),
  preferences: list(preferenceRule, '[{name: creative, description: "wants a story or a poem"}]').default([]),
}

const serverSignals = z.object(serverSignalShape)

/** As they are written. */
export type ServerSignalRules = z.output<typeof serverSignals>
