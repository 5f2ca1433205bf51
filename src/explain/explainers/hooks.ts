// What hooks made of the request.

import type { Explainer } from '../subject.ts'
import { listed, named } from '../words.ts'

const OUTCOME_WORDS: Readonly<Record<string, string>> = {
  allow: 'allowed it',
  transformed: 'allowed it and changed its body',
  'transform-no-body': 'wanted to change its body and sent none, so it stayed as it was',
  rejected: 'rejected it',
  'rejected-ignored': 'rejected it, which its `on_reject: pass` makes a remark',
  unknown: 'gave an answer that is none',
  timeout: 'did not answer in time',
  error: 'could not be asked',
  open: 'was left out, as it had failed too often just before',
}

export const hooks: Explainer = ({ record, dryRun }) => {
  const asked = (record.hooks_ran ?? []).map(toWords)
  const notAsked = dryRun?.not_asked ?? []
  return [
    ...(asked.length === 0 ? [] : [`Of the hooks, ${listed(asked)}.`]),
    ...(notAsked.length === 0 ? [] : [`Not asked in this dry run: ${listed(notAsked.map(named))}.`]),
  ]
}

/** An entry is `name`, or `name:outcome`. */
function toWords(entry: string): string {
  const at = entry.lastIndexOf(':')
  const name = at === -1 ? entry : entry.slice(0, at)
  const outcome = at === -1 ? 'allow' : entry.slice(at + 1)
  const words = Object.hasOwn(OUTCOME_WORDS, outcome) ? OUTCOME_WORDS[outcome] : `came to ${named(outcome)}`
  return `${named(name)} ${words}`
}
