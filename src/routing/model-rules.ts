// Which model a request goes to when the configuration has rules about its name. Pure: who is available, the caller's
// headers and the session come in.

import { hash64, hashState, rendezvousPlace } from './hash.ts'
import { naturalLog } from './natural-log.ts'
import type { Affinity } from './policy.ts'

export type RuleAction =
  /** To this model, whoever serves it. */
  | { readonly kind: 'rewrite'; readonly model: string }
  /** To the first that is available. */
  | { readonly kind: 'fallback'; readonly models: readonly string[] }
  /** To one of those available, by weight, the same for all of a session. */
  | { readonly kind: 'weights'; readonly shares: readonly WeightedModel[] }

export interface WeightedModel {
  readonly model: string
  /** Relative to the others, above zero. */
  readonly weight: number
}

export interface ModelRule {
  /** A model's name, a beginning of names that ends in `*`, or `*` for all. Case counts. */
  readonly match: string
  readonly action: RuleAction
  /** What must hold for the rule to take a request; null when the name alone decides. */
  readonly when: RuleCondition | null
  /** After a failed attempt the next model is tried. */
  readonly triesNextOnFailure: boolean
}

/** What decides whether a rule takes a request. */
export type RuleScope = Pick<ModelRule, 'match' | 'when'>

/** All of it must hold. */
export interface RuleCondition {
  /** Values of request headers by lower-case name, compared exactly. */
  readonly headers: Readonly<Record<string, string>>
  /** Null when it does not matter. */
  readonly tenant: string | null
}

/** What rules may know of a request. */
export interface RuleCaller {
  /** Value of a request header by its lower-case name; null when absent. */
  header(name: string): string | null
  readonly tenant: string | null
}

export interface RuleContext extends RuleCaller {
  /** Whether some worker that serves the model can take a request. */
  isAvailable(model: string): boolean
  /** The session's key, so that all of it goes to one model; null when the request offers none. Only a split asks. */
  readonly session: Affinity | null
  /** Stands in for a missing session. */
  readonly seed: number
}

/** What a split was drawn from: with the rule's `match`, and the seed where there is no session, it can be redrawn. */
export interface Split {
  /** Of the rule's models, those that were available. */
  readonly shares: readonly WeightedModel[]
  readonly session: Affinity | null
}

export interface RuledModel {
  /** The model to route to. */
  readonly model: string
  /** `match` of the rule that took the request; null when none did. */
  readonly rule: string | null
  /** Place of that rule in the list; null when none did. */
  readonly ruleIndex: number | null
  /** Models to try after a failed attempt, in this order; empty unless the rule says so. */
  readonly nextModels: readonly string[]
  /** Null unless the model was drawn by weight. */
  readonly split: Split | null
  /** True when none of the rule's models was available, so that the name stayed as it was. */
  readonly isExhausted: boolean
}

/**
 * The first rule that matches decides, whatever comes of it: with none of its models available the name stays as it
 * was, and later rules are not looked at. What a rule leads to is not matched again.
 */
export function applyModelRules(requested: string, rules: readonly ModelRule[], context: RuleContext): RuledModel {
  const ruleIndex = findRule(requested, rules, context)
  const rule = ruleIndex === null ? undefined : rules[ruleIndex]
  if (rule === undefined) return { ...NOT_RULED, model: requested }
  const { models, split } = offerOf(rule, context)
  const [model, ...others] = models
  const nextModels = rule.triesNextOnFailure ? others : []
  return { model: model ?? requested, rule: rule.match, ruleIndex, nextModels, split, isExhausted: model === undefined }
}

const NOT_RULED = { rule: null, ruleIndex: null, nextModels: [], split: null, isExhausted: false } as const

/** Index of the rule that takes a request for this model; null when none does. */
export function findRule(requested: string, rules: readonly ModelRule[], caller: RuleCaller): number | null {
  const index = rules.findIndex(({ match, when }) => matchCovers(match, requested) && doesHold(when, caller))
  return index === -1 ? null : index
}

/** Whether everything `inner` stands for (a name or a pattern) is matched by `pattern` too. */
export function matchCovers(pattern: string, inner: string): boolean {
  return pattern.endsWith('*') ? inner.startsWith(pattern.slice(0, -1)) : inner === pattern
}

/** Whether every request that `inner` could take is one that `outer` takes: coming first, it leaves nothing to it. */
export function ruleCovers(outer: RuleScope, inner: RuleScope): boolean {
  if (!matchCovers(outer.match, inner.match)) return false
  // What holds for a caller with no more than the inner condition asks for holds for all that it lets in.
  const { headers = {}, tenant = null } = inner.when ?? {}
  return doesHold(outer.when, { header: (name) => headers[name] ?? null, tenant })
}

/** The model that a list of models names as what stands behind a rule: the first choice among those available. */
export function leadingModel({ action }: ModelRule, isAvailable: (model: string) => boolean): string | null {
  const models = targetsOf(action)
  return models.find(isAvailable) ?? models[0] ?? null
}

/** Every model a rule can lead to: in order, or the heaviest first. */
export function targetsOf(action: RuleAction): readonly string[] {
  if (action.kind === 'rewrite') return [action.model]
  if (action.kind === 'fallback') return action.models
  return [...action.shares].sort((a, b) => b.weight - a.weight).map(({ model }) => model)
}

function doesHold(when: RuleCondition | null, { header, tenant }: RuleCaller): boolean {
  if (when === null) return true
  if (when.tenant !== null && when.tenant !== tenant) return false
  return Object.entries(when.headers).every(([name, value]) => header(name) === value)
}

interface Offer {
  /** The models of a rule that can be had, best first. */
  readonly models: readonly string[]
  readonly split: Split | null
}

function offerOf({ match, action }: ModelRule, context: RuleContext): Offer {
  // A rewrite is unconditional.
  if (action.kind === 'rewrite') return { models: [action.model], split: null }
  if (action.kind === 'fallback') {
    return { models: action.models.filter((model) => context.isAvailable(model)), split: null }
  }
  const shares = action.shares.filter(({ model }) => context.isAvailable(model))
  if (shares.length === 0) return { models: [], split: null }
  const split = { shares, session: context.session }
  return { models: drawSplit(match, split, context.seed), split }
}

/** The models of a split in the order in which the session, or else the seed, draws them. */
export function drawSplit(match: string, { shares, session }: Split, seed: number): readonly string[] {
  // The rule is part of the key, so that two canaries don't get the same sessions.
  const key = hashState(session?.hash ?? String(seed), hashState(match))
  // Weighted rendezvous hashing, as in the policy `consistent_hash`: a model that goes moves its own sessions alone.
  return shares
    .map(({ model, weight }) => ({ model, place: naturalLog(rendezvousPlace(key, model)) / weight }))
    .sort((a, b) => b.place - a.place)
    .map(({ model }) => model)
}

/** Stands in for a session that is missing: from the id that the record keeps, so that a split can be drawn again. */
export function splitSeed(decisionId: string): number {
  return Number.parseInt(hash64(decisionId).slice(0, 8), 16)
}
