// Records of requests that ended before a decision: what the same end would need of another configuration. Nothing is
// asked again: hooks, limits, keys and bodies come to what they came to then, unless the configuration says otherwise.

import { coversModel } from '../access/model-access.ts'
import type { Config, HookConfig } from '../config/config.ts'
import { isDecisionRecord, type StoredRecord } from '../record/stored-record.ts'
import { targetsOf } from '../routing/model-rules.ts'
import { nameToRule } from './asked-name.ts'
import { ENDED, type Outcome, unknown } from './outcome.ts'
import { findRecordedRule } from './recorded-rule.ts'

/** What a record without candidates comes to under a configuration. */
export function endEarly(record: StoredRecord, config: Config): Outcome {
  if (record.worker !== undefined) return unknown('missing_fact', whyUndecided(record))
  if (!isDecisionRecord(record)) return ENDED
  if (record.lifecycle_state === 'unknown') return unknown('missing_fact', 'nobody saw how its request ended')
  if (record.config_hash === config.hash) return ENDED
  if (record.method === 'cache-hit' || record.method === 'semantic-hit') return stillKept(record, config)
  switch (record.error) {
    case 'hook_rejected':
    case 'hook_rejected_request':
      return stillStopped(record, config, 'rejected', ({ onReject }) => onReject !== 'pass')
    case 'hook_failed':
      return stillStopped(record, config, null, ({ onError }) => onError === 'block')
    case 'tenant_disabled':
      return isEnabled(record, config) ? letIn(`tenant \`${record.tenant}\` is enabled`) : ENDED
    case 'model_not_found':
    case 'model_required':
    case 'model_not_allowed':
    case 'no_worker':
      return stillUnserved(record, config)
    default:
      return ENDED
  }
}

function whyUndecided({ schema_version: version }: StoredRecord): string {
  return version < 4 ? `records of schema version ${version} have no candidates` : 'the record has no candidates'
}

/** Keys of caches are not made again here; where there is no such cache, a worker would have been asked. */
function stillKept({ method }: StoredRecord, { responseCache, semanticCache, decisions }: Config): Outcome {
  if (method === 'cache-hit' ? responseCache !== null : isSemantic({ semanticCache, decisions })) return ENDED
  const section = method === 'cache-hit' ? 'cache' : 'semantic_cache'
  return unknown('missing_fact', `it was answered from a cache, and the configuration has no \`${section}\``)
}

/** In use for any request at all: decisions may turn it on. */
function isSemantic({ semanticCache, decisions }: Pick<Config, 'semanticCache' | 'decisions'>): boolean {
  const turnsOn = decisions?.rules.some(({ plugins }) => plugins.semanticCache?.isEnabled === true) ?? false
  return semanticCache !== null && (semanticCache.isEnabled || turnsOn)
}

function letIn(why: string): Outcome {
  return unknown('model_access', `it ended before a decision and would be let in now: ${why}`)
}

function isEnabled({ tenant }: StoredRecord, { tenants }: Config): boolean {
  return tenants.some(({ name, isEnabled: is }) => name === tenant && is)
}

/** The hook that ended a request was the last to be asked; `outcome` is its word, null for any but a good one. */
function stillStopped(
  { hooks_ran: entries = [] }: StoredRecord,
  { hooks }: Config,
  outcome: string | null,
  stops: (hook: HookConfig) => boolean,
): Outcome {
  const ran = entries.map((entry) => {
    const [name = '', word = null] = entry.split(':')
    return { name, word }
  })
  const stopped = ran.findLast(({ word }) =>
    outcome === null ? word !== null && word !== 'transformed' : word === outcome,
  )
  if (stopped === undefined) return ENDED
  const hook = hooks.find(({ name }) => name === stopped.name)
  if (hook !== undefined && stops(hook)) return ENDED
  const how = hook === undefined ? 'is not in the configuration' : 'would let it pass now'
  return unknown('hook', `hook \`${stopped.name}\` ended it and ${how}; what would have come after is not recorded`)
}

/** Whether a model that could not be had then can surely not be had now either. */
function stillUnserved(record: StoredRecord, config: Config): Outcome {
  const asked = nameToRule(record)
  if (asked.kind === 'unknown') return unknown('hook', asked.why)
  const named = asked.name ?? config.defaultModel
  if (named === null) return ENDED
  const found = findRecordedRule(named, config.modelRules, record.tenant ?? null)
  if (found?.kind === 'unknown') return unknown('rule', found.why)
  const targets = found === null ? [named] : targetsOf(found.rule.action)
  const usable = targets.filter((model) => mayUse(record, config, model))
  if (usable.length === 0) return ENDED
  if (record.error === 'model_not_allowed') return letIn('its caller may use the model')
  const isConfigured = usable.some((model) => config.workers.some(({ models }) => models?.includes(model) === true))
  const mayBeLearned =
    found !== null && record.rule !== found.rule.match && config.workers.some(({ models }) => models === null)
  if (!isConfigured && !mayBeLearned) return ENDED
  const cause = found === null ? 'workers' : 'rule'
  return unknown(
    cause,
    'it ended before a decision and may find a worker now; the fleet of that moment is not recorded',
  )
}

function mayUse({ tenant: name }: StoredRecord, { tenants }: Config, model: string): boolean {
  if (name === undefined) return true
  const tenant = tenants.find((one) => one.name === name)
  return tenant === undefined || coversModel(tenant.allowedModels, model)
}
