// Load as the policies count it, in words.

import type { RecordedCandidate } from '../../record/schema.ts'
import { amount } from '../words.ts'

/** What the parts of a load mean; in the order of the sentence. */
const PARTS: readonly (readonly [name: string, words: string])[] = [
  ['in_flight_here', 'from this router'],
  ['in_flight_elsewhere', 'from others'],
  ['in_flight_outside', 'past all routers'],
]

/** `a load of 6.5 (4 from this router, 9 from others)`. */
export function loadOf({ parts = {}, score }: RecordedCandidate): string {
  const load = parts['load'] ?? (score === undefined ? undefined : 0 - score)
  const counts = PARTS.flatMap(([name, words]) => {
    const value = parts[name]
    return value === undefined || value === 0 ? [] : [`${amount(value)} ${words}`]
  })
  const share = parts['share']
  if (share !== undefined) counts.push(`taking ${amount(share * 100)} % of its usual work`)
  const detail = counts.length === 0 ? '' : ` (${counts.join(', ')})`
  return load === undefined ? 'a load that the record does not hold' : `a load of ${amount(load)}${detail}`
}
