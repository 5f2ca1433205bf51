// Why this worker and no other.

import { NOTE } from '../../routing/decide.ts'
import { grouped } from '../grouped.ts'
import { noteWords } from '../veto-words.ts'
import { policyWords } from '../policy-words.ts'
import { type Explainer, type ExplainedRecord, toChoice } from '../subject.ts'
import { counted, listed, named } from '../words.ts'

export const choice: Explainer = ({ record }) => {
  const made = toChoice(record)
  if (made === null) return whyUntold(record)
  return [...policyWords(record.policy).why(made), ...notes(record), ...panic(record)]
}

/** A record of an old version, or of a request that was never decided, has no candidates. */
function whyUntold(record: ExplainedRecord): readonly string[] {
  const { candidates, worker, policy } = record
  if (candidates !== undefined) {
    const chosen = worker === undefined ? [nobody(record)] : []
    return [...chosen, ...notes(record), ...panic(record)]
  }
  if (worker === undefined) return []
  if (record.lifecycle_state === 'in_progress') return ['The candidates are told once the request has ended.']
  const by = policy === undefined ? '' : ` by policy ${named(policy)}`
  return [
    `The record lists no candidates (version ${record.schema_version}): why ${named(worker)} was chosen${by} can not be told.`,
  ]
}

function nobody({ candidates = [], candidates_omitted: omitted = 0 }: ExplainedRecord): string {
  const count = candidates.length + omitted
  if (count === 0) return 'The pool has no workers.'
  const free = candidates.filter(({ veto }) => veto === undefined).length
  if (free > 0) return `Of ${counted(count, 'candidate')} the policy wanted none.`
  return `Nobody was chosen: ${count === 1 ? 'the one candidate was left out' : `all ${count} candidates were left out`}.`
}

function notes({ candidates = [] }: ExplainedRecord): readonly string[] {
  return Array.from(
    grouped(candidates, ({ note }) => note),
    ([note, those]) => {
      const names = listed(those.map(({ worker }) => named(worker)))
      return `${names} could be chosen although not simply up: ${noteWords(note)}.`
    },
  )
}

function panic({ panic: isPanic, candidates = [] }: ExplainedRecord): readonly string[] {
  if (isPanic !== true) return []
  const isUsed = candidates.some(({ note }) => note === NOTE.panic)
  return [
    'More of the fleet was in trouble than `panic_threshold` takes for the workers’ own fault, so ejected ones ' +
      `${isUsed ? 'counted' : 'would have counted'}, too.`,
  ]
}
