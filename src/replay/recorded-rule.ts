// Which rule of a configuration takes a recorded request. Records hold no headers, so a rule that asks for one can't be
// judged.

import { matchCovers, type ModelRule } from '../routing/model-rules.ts'

export type FoundRule =
  | { readonly kind: 'rule'; readonly rule: ModelRule }
  | { readonly kind: 'unknown'; readonly why: string }

/** Null when no rule takes it. */
export function findRecordedRule(named: string, rules: readonly ModelRule[], tenant: string | null): FoundRule | null {
  for (const rule of rules) {
    const { match, when } = rule
    if (!matchCovers(match, named)) continue
    if (when !== null && when.tenant !== null && when.tenant !== tenant) continue
    const [header] = Object.keys(when?.headers ?? {})
    if (header === undefined) return { kind: 'rule', rule }
    return { kind: 'unknown', why: `rule \`${match}\` asks for the header \`${header}\`, and records hold no headers` }
  }
  return null
}
