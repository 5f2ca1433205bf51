// Who was left out, and why; and how those compare that were not.

import type { RecordedCandidate } from '../../record/schema.ts'
import { grouped } from '../grouped.ts'
import { boundOf } from '../policies/consistent-hash.ts'
import { policyWords } from '../policy-words.ts'
import { type Explainer, type ExplainedRecord, toChoice } from '../subject.ts'
import { longVeto } from '../veto-words.ts'
import { capitalized, counted, listed, named } from '../words.ts'

/** More than so many are told in one sentence; the table has them one by one. */
const MOST_COMPARED = 4
const MOST_UNLOOKED = 2

export const leftOut: Explainer = ({ record }) => [...compared(record), ...vetoed(record), ...omitted(record)]

function compared(record: ExplainedRecord): readonly string[] {
  const choice = toChoice(record)
  if (choice === null) return []
  const others = (record.candidates ?? []).filter(
    ({ veto, worker }) => veto === undefined && worker !== choice.chosen.worker,
  )
  const looked = others.filter(({ score }) => score !== undefined)
  const unlooked = others.filter(({ score }) => score === undefined)
  const words = policyWords(record.policy)
  const each = (those: readonly RecordedCandidate[]) => those.map((other) => words.whyNot(choice, other))
  return [
    ...(looked.length > MOST_COMPARED
      ? [`${namesOf(looked)} could have been chosen, too; the table has their scores.`]
      : each(looked)),
    ...(unlooked.length > MOST_UNLOOKED ? [`The policy did not look at ${namesOf(unlooked)}.`] : each(unlooked)),
  ]
}

function namesOf(candidates: readonly RecordedCandidate[]): string {
  return listed(candidates.map(({ worker }) => named(worker)))
}

function vetoed({ candidates = [] }: ExplainedRecord): readonly string[] {
  return Array.from(
    grouped(candidates, ({ veto }) => veto),
    ([veto, those]) => {
      return `${listed(those.map(nameOf))} ${those.length === 1 ? 'was' : 'were'} left out, ${longVeto(veto)}.`
    },
  )
}

/** With the numbers of a bound, where those are why. */
function nameOf(candidate: RecordedCandidate): string {
  const hasBound = candidate.parts?.['bound'] !== undefined
  return hasBound ? `${named(candidate.worker)} (${boundOf(candidate)})` : named(candidate.worker)
}

function omitted({ candidates_omitted: count = 0 }: ExplainedRecord): readonly string[] {
  if (count === 0) return []
  return [
    `${capitalized(counted(count, 'more candidate'))} are not listed one by one: the record keeps those that mattered most.`,
  ]
}
