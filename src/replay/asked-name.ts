// The model's name as the rules saw it: the caller's, unless a hook may have put another in its place.

import type { StoredRecord } from '../record/stored-record.ts'

export type AskedName =
  /** Null when the request named none. */
  { readonly kind: 'name'; readonly name: string | null } | { readonly kind: 'unknown'; readonly why: string }

export function nameToRule(record: StoredRecord): AskedName {
  const { original_model: original, model, rule } = record
  const hook = (record.hooks_ran ?? []).find((entry) => entry.endsWith(':transformed'))
  if (hook === undefined) return named(original ?? null)
  // Rules about its meaning may have put another model in the place of the name.
  if (record.signal_readings !== undefined) {
    return {
      kind: 'unknown',
      why: `hook \`${hook.slice(0, hook.indexOf(':'))}\` changed the request, and the name it gave to the decisions is not recorded`,
    }
  }
  // No rule took it: it was routed under the name that the hook left it.
  if (rule === undefined) return named(model ?? original ?? null)
  if (!rule.endsWith('*')) return named(rule)
  return {
    kind: 'unknown',
    why: `hook \`${hook.slice(0, hook.indexOf(':'))}\` changed the request, and the name it gave to rule \`${rule}\` is not recorded`,
  }
}

function named(name: string | null): AskedName {
  return { kind: 'name', name }
}
