// What decision rules, signals and caches had to say.

import type { Explainer, ExplainedRecord } from '../subject.ts'
import { listed, named } from '../words.ts'

export const matched: Explainer = ({ record }) => [
  ...rule(record),
  ...signals(record),
  ...unread(record),
  ...cache(record),
]

function rule({ decision, category, reasoning_mode: reasoning }: ExplainedRecord): readonly string[] {
  return [
    ...(decision === undefined ? [] : [`The decision rule ${named(decision)} matched.`]),
    ...(category === undefined ? [] : [`It was sorted into the category ${named(category)}.`]),
    ...(reasoning === undefined ? [] : [`Reasoning was asked of the model: ${reasoning}.`]),
  ]
}

function signals({ signals: found = {} }: ExplainedRecord): readonly string[] {
  const kinds = Object.entries(found).filter(([, names]) => names.length > 0)
  if (kinds.length === 0) return []
  const words = kinds.map(([kind, names]) => `${kind} (${listed(names.map(named))})`)
  return [`Signals that matched: ${listed(words)}.`]
}

/** What could not be had, and so matched nothing and excluded nothing. */
function unread({ signal_readings: readings = {} }: ExplainedRecord): readonly string[] {
  const open = Object.entries(readings).flatMap(([key, { is, because }]) => {
    return is === 'unknown' ? [`${named(key)} (${because})`] : []
  })
  return open.length === 0 ? [] : [`Signals that nobody could tell: ${listed(open)}.`]
}

const CACHE_WORDS: Readonly<Record<string, string>> = {
  'exact-hit': 'The response cache had an answer to this very request.',
  'semantic-hit': 'The response cache had an answer to a request that means the same.',
  miss: 'The response cache had no answer to it.',
}

function cache({ cache_status: status, cache_similarity: similarity }: ExplainedRecord): readonly string[] {
  // `bypass` says that no cache was asked, which is nothing to tell.
  const words = status !== undefined && Object.hasOwn(CACHE_WORDS, status) ? CACHE_WORDS[status] : undefined
  const near = similarity === undefined ? [] : [`The two are as near as a cosine of ${similarity.toFixed(6)}.`]
  return words === undefined ? [] : [words, ...near]
}
