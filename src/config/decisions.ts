// The sections about decisions, wherever they stand: at the top level, or under `routing` as the semantic router has them.

import { signalsOf } from '../routing/decision-rules.ts'
import { hash64 } from '../routing/hash.ts'
import { createEdgeSignals } from '../routing/signals/edge-signals.ts'
import { signalKey } from '../routing/signals/signal.ts'
import type { Partly } from './check-section.ts'
import type { DecisionsConfig, ReadySignals, SignalRules } from './decision-config.ts'
import { toDecision, toReasoningFamilies } from './decision-schema.ts'
import { canonicalJson } from './digest.ts'
import type { Path } from './finding.ts'
import type { ConfigFile } from './schema.ts'
import { SIGNAL_SECTIONS, signalsSchema, toSignalRules } from './signal-schema.ts'

/** Null when there are none. */
export function toDecisions(file: ConfigFile): DecisionsConfig | null {
  const sections = file.routing?.decisions ?? file.decisions
  if (sections.length === 0) return null
  return {
    rules: sections.map(toDecision),
    strategy: file.routing?.strategy ?? file.strategy ?? 'priority',
    autoModels: file.auto_models ?? ['auto'],
    decideOn: file.decide_on ?? (file.auto_models === undefined ? 'all' : 'auto'),
    signalTimeoutMs: file.signal_timeout_ms,
    reasoningFamilies: toReasoningFamilies(file.models),
  }
}

export function signalRulesOf(file: ConfigFile): SignalRules {
  return toSignalRules(signalsSchema.parse(file.routing?.signals ?? file.signals ?? {}))
}

/** Where a part of these sections stands in the file: the key, under `routing` where the file has it there. */
export function placeOf(file: Partly<ConfigFile>, key: 'signals' | 'decisions'): Path {
  return file.routing?.[key] === undefined ? [key] : ['routing', key]
}

/** Compiles what can be compiled; of every rule it says by a digest what it asks. */
export function readySignals(rules: SignalRules, decisions: DecisionsConfig | null): ReadySignals {
  const { server, ...edge } = rules
  const lists: Readonly<Record<string, readonly { readonly name: string }[]>> = { ...edge, ...server }
  const texts = new Map<string, string>()
  for (const [section, family] of Object.entries(SIGNAL_SECTIONS)) {
    if (family === 'authz') continue
    for (const rule of lists[section] ?? []) texts.set(signalKey({ family, name: rule.name }), canonicalJson(rule))
  }
  // Several bindings may give one role.
  for (const { role } of edge.authz) {
    const bindings = edge.authz.filter((binding) => binding.role === role)
    texts.set(signalKey({ family: 'authz', name: role }), canonicalJson(bindings))
  }
  const digests = [...texts].map(([key, text]) => [key, hash64(text).slice(0, 8)] as const)
  const asked = decisions === null ? [] : signalsOf(decisions.rules)
  return { edge: createEdgeSignals(edge), asked, digests: Object.fromEntries(digests) }
}
