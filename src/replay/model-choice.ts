// The models a request would be decided on under another configuration: what its rules make of the name, which of them
// its caller may use, and whether anybody serves the result. As pipeline/choose-model.ts has it, from a record.

import { coversAllModels, coversModel } from '../access/model-access.ts'
import type { Config, TenantConfig } from '../config/config.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import { mayBeUsed, isUsable } from '../routing/availability.ts'
import { applyModelRules, type ModelRule, type RuleContext, splitSeed, targetsOf } from '../routing/model-rules.ts'
import type { Affinity, CandidateView } from '../routing/policy.ts'
import { nameToRule } from './asked-name.ts'
import { decidedModels } from './decided-models.ts'
import { type Outcome, refused, unknown } from './outcome.ts'
import { findRecordedRule } from './recorded-rule.ts'
import { couldComeFrom, isSameKey, keyHeadersOf } from './session-key.ts'

export type ModelChoice =
  /** In the order in which they are tried; null for a route without a model. */
  | { readonly kind: 'models'; readonly models: readonly (string | null)[] }
  | { readonly kind: 'settled'; readonly outcome: Outcome }

export interface ChoiceSources {
  readonly config: Config
  readonly candidates: readonly CandidateView[]
  /** Headers that the configuration of the record had the session's key looked for in; null when it is not at hand. */
  readonly keyHeaders: readonly string[] | null
}

export function chooseModels(record: StoredRecord, sources: ChoiceSources): ModelChoice {
  const caller = findCaller(record, sources.config)
  if (caller.kind === 'settled') return caller
  const { tenant } = caller
  if (record.model === undefined) return withoutModel(record, tenant)
  const asked = nameToRule(record)
  if (asked.kind === 'unknown') return settled(unknown('hook', asked.why))
  const named = asked.name ?? sources.config.defaultModel
  const found = named === null ? null : findRecordedRule(named, sources.config.modelRules, record.tenant ?? null)
  if (found?.kind === 'unknown') return settled(unknown('rule', found.why))
  const rule = found?.rule ?? null
  return sources.config.decisions === null
    ? asNamed(record, named, rule, { ...sources, tenant })
    : decidedOrNamed(record, named, rule, { ...sources, tenant })
}

type OfCaller = ChoiceSources & { readonly tenant: TenantConfig | null }

function asNamed(record: StoredRecord, named: string | null, rule: ModelRule | null, sources: OfCaller): ModelChoice {
  if (named === null || rule === null) {
    return servedModel(named ?? onlyModel(sources), false, sources.tenant, sources)
  }
  return ruledModels(record, named, rule, sources)
}

/** As pipeline/decide-model.ts has it: decisions come after the rules, on the name that they leave. */
function decidedOrNamed(
  record: StoredRecord,
  named: string | null,
  rule: ModelRule | null,
  sources: OfCaller,
): ModelChoice {
  const { config, candidates, tenant } = sources
  const ruled = rule === null || named === null ? named : nameAfter(rule, named, asNamed(record, named, rule, sources))
  const serves = (model: string, isTaken: typeof isUsable) =>
    mayUse(tenant, model) &&
    candidates.some(({ models, workerId, availability }) => {
      const isAsked = record.pinned === undefined || record.pinned === workerId
      return isAsked && isTaken(availability) && models?.has(model) === true
    })
  const decided = decidedModels(record, ruled, config, (model) => serves(model, isUsable))
  if (decided.kind === 'unknown') return settled(unknown('missing_fact', decided.why))
  if (decided.kind === 'as_named') return asNamed(record, named, rule, sources)
  const allowed = decided.models.filter((model) => mayUse(tenant, model))
  const [first] = allowed
  if (first === undefined) return settled(refused(named, decided.models.length === 0 ? null : 'model_access'))
  const up = allowed.filter((model) => serves(model, isUsable))
  const usable = up.length > 0 ? up : allowed.filter((model) => serves(model, mayBeUsed))
  const served = servedModel(usable[0] ?? first, true, tenant, sources)
  if (served.kind === 'settled') return served
  // Which model a retry was at depends on how the attempts before it failed: it stays where it was.
  const { model, tried = [] } = record
  const isRetry = tried.length > 0 && model !== undefined && allowed.includes(model)
  return { kind: 'models', models: isRetry ? [model] : usable }
}

/** A rewrite names its target whether or not somebody serves it. */
function nameAfter({ action }: ModelRule, named: string, choice: ModelChoice): string {
  if (action.kind === 'rewrite') return action.model
  return choice.kind === 'models' ? (choice.models[0] ?? named) : named
}

type Caller =
  | { readonly kind: 'caller'; readonly tenant: TenantConfig | null }
  | Extract<ModelChoice, { readonly kind: 'settled' }>

function findCaller(record: StoredRecord, { tenants }: Config): Caller {
  if (record.tenant === undefined) return { kind: 'caller', tenant: null }
  const tenant = tenants.find(({ name }) => name === record.tenant)
  if (tenant === undefined) {
    return settled(unknown('model_access', `the configuration has no tenant \`${record.tenant}\``))
  }
  return tenant.isEnabled ? { kind: 'caller', tenant } : settled(refused(record.model ?? null, 'model_access'))
}

function withoutModel(record: StoredRecord, tenant: TenantConfig | null): ModelChoice {
  const isOpen = tenant === null || record.pinned !== undefined || coversAllModels(tenant.allowedModels)
  return isOpen ? { kind: 'models', models: [null] } : settled(refused(null, 'model_access'))
}

function ruledModels(
  record: StoredRecord,
  named: string,
  rule: ModelRule,
  { tenant, ...sources }: ChoiceSources & { readonly tenant: TenantConfig | null },
): ModelChoice {
  const targets = targetsOf(rule.action)
  if (!targets.some((model) => mayUse(tenant, model))) return settled(refused(named, 'model_access'))
  const session = rule.action.kind === 'weights' ? sessionOf(record, sources.keyHeaders) : null
  if (session === undefined) return settled(unknown('rule', WHY_NO_SESSION))
  const { candidates } = sources
  const serves = (model: string, isTaken: (candidate: CandidateView) => boolean) =>
    mayUse(tenant, model) && candidates.some((candidate) => candidate.models?.has(model) === true && isTaken(candidate))
  const isPinnedTo = ({ workerId }: CandidateView) => record.pinned === undefined || record.pinned === workerId
  // A record tells which models of its own rule were to be had when it was drawn, a moment before the decision.
  const drawnFrom = record.split !== undefined && record.rule === rule.match ? record.split.weights : null
  const context = (isTaken: (candidate: CandidateView) => boolean): RuleContext => ({
    header: () => null,
    tenant: null,
    isAvailable: (model) =>
      (drawnFrom !== null && Object.hasOwn(drawnFrom, model) && mayUse(tenant, model)) || serves(model, isTaken),
    session,
    seed: splitSeed(record.decision_id ?? record.request_id ?? ''),
  })
  const taken = [{ ...rule, when: null }]
  const usual = applyModelRules(
    named,
    taken,
    context((one) => isPinnedTo(one) && isUsable(one.availability)),
  )
  const ruled = usual.isExhausted
    ? applyModelRules(
        named,
        taken,
        context((one) => isPinnedTo(one) && mayBeUsed(one.availability)),
      )
    : usual
  const first = servedModel(ruled.model, true, tenant, sources)
  if (first.kind === 'settled') return first
  return { kind: 'models', models: afterFailures(record, rule, [ruled.model, ...ruled.nextModels]) }
}

const WHY_NO_SESSION = 'a rule splits by session, and the key was looked for in headers of another configuration'

/** Which model of a chain a retry was at depends on how the attempts before it failed: it stays where it was. */
function afterFailures(record: StoredRecord, rule: ModelRule, chain: readonly string[]): readonly string[] {
  const { model, tried = [] } = record
  if (tried.length === 0 || model === undefined) return chain
  // Those failures have changed who is available, too: the chain as it is now is not what was chosen from.
  const isOfRule = record.rule === rule.match && targetsOf(rule.action).includes(model)
  return isOfRule || chain.includes(model) ? [model] : chain
}

/** The key that splits go by, from the usual headers; undefined when nobody can tell. */
function sessionOf(record: StoredRecord, keyHeaders: readonly string[] | null): Affinity | null | undefined {
  if (record.split !== undefined) return record.split.affinity ?? null
  const affinity = record.affinity ?? null
  const usual = keyHeadersOf({})
  const before = keyHeaders ?? usual
  return couldComeFrom(affinity, before) && isSameKey(affinity, { before, after: usual }) ? affinity : undefined
}

function servedModel(
  model: string | null,
  isRuled: boolean,
  tenant: TenantConfig | null,
  { candidates }: ChoiceSources,
): ModelChoice {
  const isServed = model !== null && candidates.some(({ models }) => models?.has(model) === true)
  if (!isServed) return settled(refused(model, isRuled ? 'rule' : null))
  return mayUse(tenant, model) ? { kind: 'models', models: [model] } : settled(refused(model, 'model_access'))
}

function onlyModel({ candidates }: ChoiceSources): string | null {
  const models = new Set(candidates.flatMap((candidate) => [...(candidate.models ?? [])]))
  const [first] = models
  return models.size === 1 && first !== undefined ? first : null
}

function mayUse(tenant: TenantConfig | null, model: string): boolean {
  return tenant === null || coversModel(tenant.allowedModels, model)
}

function settled(outcome: Outcome): Extract<ModelChoice, { readonly kind: 'settled' }> {
  return { kind: 'settled', outcome }
}
