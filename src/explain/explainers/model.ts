// Which model was asked for, and which one it was routed to.

import { RECORD_SCHEMA_VERSION } from '../../record/format.ts'
import { sourceOf } from '../key-source.ts'
import type { Explainer, ExplainedRecord } from '../subject.ts'
import { amount, listed, named } from '../words.ts'

export const model: Explainer = ({ record }) => [...names(record), ...split(record)]

function names({
  schema_version: version,
  original_model: asked,
  model: routed,
  rule,
  hooks_ran: hooks = [],
}: ExplainedRecord): readonly string[] {
  if (routed === undefined) return asked === undefined ? [] : [`It names the model ${named(asked)}.`]
  if (rule !== undefined) {
    const from = asked === undefined ? 'The default model' : `The model ${named(asked)}`
    return [`${from} matches the model rule ${named(rule)}, which led to ${named(routed)}.`]
  }
  if (asked === routed) return [`It asks for the model ${named(routed)}.`]
  // Older records don't say what was asked for.
  if (asked === undefined && version < RECORD_SCHEMA_VERSION) return [`It was routed to the model ${named(routed)}.`]
  if (asked === undefined) return [`It names no model; ${named(routed)} is the default, or the only one.`]
  const isHooks = hooks.some((entry) => entry.endsWith(':transformed'))
  return [
    `It asks for the model ${named(asked)}${isHooks ? ', which a hook changed:' : '; it'} was routed to ${named(routed)}.`,
  ]
}

function split({ split: drawn, decision_id: id }: ExplainedRecord): readonly string[] {
  if (drawn === undefined) return []
  const shares = Object.entries(drawn.weights).map(([name, weight]) => `${named(name)} ${amount(weight)}`)
  const { affinity } = drawn
  const by =
    affinity === undefined
      ? `As the request offers no key for its session, its id drew${id === undefined ? '' : ` (${id})`}`
      : `All of a session goes to one of them: the key is that of ${sourceOf(affinity.source)} (hash ${affinity.hash})`
  return [`The rule splits by weight among those available: ${listed(shares)}.`, `${by}.`]
}
