// The contract of a policy's words.

import type { RecordedCandidate } from '../../record/schema.ts'
import type { Choice } from '../subject.ts'

export interface PolicyWords {
  /** Why the chosen one had the best score: whole sentences, the first of which names it. */
  why(choice: Choice): readonly string[]
  /**
   * Why another candidate that nothing spoke against was not chosen: one sentence that names it. It has a worse score than
   * the chosen one, the same, or none.
   */
  whyNot(choice: Choice, other: RecordedCandidate): string
}
