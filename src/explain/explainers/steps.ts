// What was asked of other services on the way to the decision, and what came of it.

import type { Explainer } from '../subject.ts'
import { milliseconds, named } from '../words.ts'

const QUESTIONS: Readonly<Record<string, string>> = {
  tokenize: 'Tokenising the prompt',
  lookup: 'Looking the prompt up in LMCache',
  occupancy: 'How full LMCache’s caches are',
  shared_prefix: 'Asking other routers where the prompt is cached',
}

const OUTCOMES: Readonly<Record<string, string>> = {
  ok: 'gave an answer',
  cached: 'was not needed, as its tokens were known',
  prefix: 'was not needed, as the tokens that it begins with were known',
  miss: 'found it nowhere',
  short: 'was not tried, as the prompt is too short to be cached',
  no_prompt: 'was not tried, as the request has no prompt that could be cached',
  batch: 'was not tried, as the request has several prompts',
  stored: 'was not tried, as the prompt begins with what a worker has stored',
  not_text: 'was not tried, as the prompt is more than plain text',
  truncated: 'was not tried, as the worker cuts the prompt',
  salted: 'was not tried, as the control plane can not be told of `cache_salt`',
  no_worker: 'failed, as no worker of the model could be asked',
  over_budget: 'was not tried, as the budget was used up',
  timeout: 'took too long and was given up',
  unreachable: 'failed, as nobody answered as they should',
  refused: 'failed, as the question was refused',
  bad_answer: 'failed, as the answer made no sense',
  breaker_open: 'was not tried, as it had failed several times in a row',
  aborted: 'was given up, as the caller left',
  ambiguous: 'found holders of parts, and nobody who surely holds the beginning',
  unmapped: 'found instances that are none of the workers',
  blind: 'was not tried, as LMCache’s control plane does not know what workers hold',
  stale: 'was known too long ago',
  unknown: 'was not known',
  no_counts: 'was not said',
}

/** Of what nobody is asked about for a request. */
const OCCUPANCY: Readonly<Record<string, string>> = {
  ok: 'was known',
  blind: 'did not count, as LMCache’s control plane does not know what workers hold',
}

export const steps: Explainer = ({ record: { steps: asked = [] } }) =>
  asked.map(({ step, outcome, ms }) => {
    const question = Object.hasOwn(QUESTIONS, step) ? QUESTIONS[step] : named(step)
    const words = (step === 'occupancy' ? OCCUPANCY[outcome] : undefined) ?? OUTCOMES[outcome]
    const end = Object.hasOwn(OUTCOMES, outcome) ? words : `came to ${named(outcome)}`
    return ms > 0 ? `${question} ${end} (${milliseconds(ms)}).` : `${question} ${end}.`
  })
