// Families of signals that sort a text into labels: domain, fact_check, user_feedback, preference. One question to the
// family's server answers all of its rules.

import type { LabelServerConfig } from '../config/config.ts'
import type { ServerSignalRules } from '../config/server-signal-schema.ts'
import { judgedPart } from '../routing/judged-part.ts'
import { namedLabel, scoreOf } from '../routing/signals/labels.ts'
import type { RequestView, SignalFamily, SignalOutcome, SignalSource } from '../routing/signals/signal.ts'
import type { TraceHeaders } from '../tracing/trace-headers.ts'
import type { LabelChoice, Labeller, Labels } from '../upstream/labels.ts'

/** A family as its server is asked about it. */
export interface LabelFamily {
  readonly family: SignalFamily & ('domain' | 'fact_check' | 'user_feedback' | 'preference')
  readonly rules: readonly LabelRule[]
  /** For a chat model: what the labels are about. */
  readonly about: string
  /** What a chat model may name besides the labels of the rules. */
  readonly others: readonly LabelChoice[]
  /** Whether there is anything to ask about in this request. */
  applies(request: RequestView): boolean
}

interface LabelRule {
  readonly name: string
  /** Labels that stand for it. */
  readonly labels: readonly string[]
  readonly description: string | null
}

const OTHER: LabelChoice = { label: 'other', description: 'none of these' }

/** Families with rules, as data. */
export function labelFamilies(rules: ServerSignalRules): readonly LabelFamily[] {
  const families: readonly LabelFamily[] = [
    {
      family: 'domain',
      rules: rules.domains.map((rule) => toRule(rule, rule.mmlu_categories ?? [rule.name])),
      about: 'what subject the message is about',
      others: [OTHER],
      applies: () => true,
    },
    {
      family: 'fact_check',
      rules: rules.fact_check.map((rule) => toRule(rule, [rule.name])),
      about: 'whether an answer to the message would have to be checked for facts',
      others: fixed(['needs_fact_check', 'no_fact_check_needed']),
      applies: () => true,
    },
    {
      family: 'user_feedback',
      rules: rules.user_feedbacks.map((rule) => toRule(rule, [rule.name])),
      about: 'what the message says of the answer before it',
      others: [...fixed(['satisfied', 'need_clarification', 'wrong_answer', 'want_different']), OTHER],
      // Without an answer there is nothing to say of it.
      applies: ({ messages }) => messages.some(({ role }) => role === 'assistant'),
    },
    {
      family: 'preference',
      rules: rules.preferences.map((rule) => toRule(rule, [rule.name], rule.examples)),
      about: 'which kind of request the message is',
      others: [OTHER],
      applies: () => true,
    },
  ]
  return families.filter(({ rules: those }) => those.length > 0)
}

function toRule(
  { name, description }: { readonly name: string; readonly description?: string | undefined },
  labels: readonly string[],
  examples: readonly string[] = [],
): LabelRule {
  const like = examples.length === 0 ? '' : `such as ${examples.map((example) => JSON.stringify(example)).join(', ')}`
  const words = [description ?? '', like].filter((part) => part !== '').join('; ')
  return { name, labels, description: words === '' ? null : words }
}

function fixed(labels: readonly string[]): readonly LabelChoice[] {
  return labels.map((label) => ({ label, description: null }))
}

export interface LabelSourceOptions {
  readonly server: LabelServerConfig
  readonly labeller: Labeller
  readonly waitUntil: (task: Promise<unknown>) => void
  /** Fires when the caller is gone. */
  readonly clientSignal: AbortSignal
  /** What its question continues. */
  trace?(): TraceHeaders
}

export function labelSource(family: LabelFamily, options: LabelSourceOptions): SignalSource {
  const { server, labeller, waitUntil, clientSignal } = options
  return {
    family: family.family,
    names: family.rules.map(({ name }) => name),
    async ask(request, wanted) {
      const rules = family.rules.filter(({ name }) => wanted.includes(name))
      if (request.text.trim() === '' || !family.applies(request)) return forAll(rules, NOTHING_TO_ASK)
      const choices = choicesOf(family)
      const text = judgedPart(request.text)
      const trace = options.trace?.() ?? {}
      const asked = labeller.ask({ text, about: family.about, choices, trace, signal: clientSignal })
      // An answer that comes too late for this request is there for the next of the same text.
      waitUntil(asked)
      return outcomesOf(await asked, { rules, server, choices })
    },
  }
}

const NOTHING_TO_ASK: SignalOutcome = { kind: 'not_matched', because: 'nothing to sort' }

/** Every label once, those of rules first. */
function choicesOf({ rules, others }: LabelFamily): readonly LabelChoice[] {
  const own = rules.flatMap(({ labels, description }) => labels.map((label) => ({ label, description })))
  return [...own, ...others].filter(({ label }, at, all) => all.findIndex((other) => other.label === label) === at)
}

interface Judged {
  readonly rules: readonly LabelRule[]
  readonly server: LabelServerConfig
  readonly choices: readonly LabelChoice[]
}

function outcomesOf(answer: Labels, { rules, server, choices }: Judged): ReadonlyMap<string, SignalOutcome> {
  if (answer.kind === 'failure') return forAll(rules, { kind: 'unknown', because: answer.reason })
  const labels = server.kind === 'chat' ? namedIn(answer.labels[0]?.label ?? '', choices) : answer.labels
  if (labels === null) return forAll(rules, { kind: 'unknown', because: 'bad_answer' })
  return new Map(rules.map((rule) => [rule.name, outcomeOf(rule, labels, server.threshold)]))
}

/** Rounding of small floats. */
const NOTHING_LEFT = 0.001

function outcomeOf(rule: LabelRule, labels: Labelled, threshold: number): SignalOutcome {
  const confidence = Math.round(scoreOf(labels, rule.labels) * 1e6) / 1e6
  const scores = labels.map(({ score }) => score)
  // What a label may have that the server did not name: no more than is left, and no more than the likeliest.
  const unnamed = Math.min(1 - scores.reduce((sum, score) => sum + score, 0), Math.max(...scores))
  if (confidence === 0 && unnamed > NOTHING_LEFT && unnamed >= threshold) return NOT_NAMED
  const kind = confidence >= threshold && confidence > 0 ? 'matched' : 'not_matched'
  return { kind, confidence, because: `score ${confidence}, ${threshold} is enough` }
}

const NOT_NAMED: SignalOutcome = { kind: 'unknown', because: 'label_not_named' }

type Labelled = Extract<Labels, { readonly kind: 'labels' }>['labels']

function namedIn(answer: string, choices: readonly LabelChoice[]): Labelled | null {
  const label = namedLabel(
    answer,
    choices.map((choice) => choice.label),
  )
  return label === null ? null : [{ label, score: 1 }]
}

function forAll(rules: readonly LabelRule[], outcome: SignalOutcome): ReadonlyMap<string, SignalOutcome> {
  return new Map(rules.map(({ name }) => [name, outcome]))
}
