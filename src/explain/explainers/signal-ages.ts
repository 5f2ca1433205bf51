// How old what the decision went by was.

import { fromRecordedNow, isKnownNow } from '../../record/candidate-now.ts'
import type { Explainer, ExplainedRecord } from '../subject.ts'
import { amount, milliseconds, named } from '../words.ts'

const SOURCES: Readonly<Record<string, string>> = {
  memory: 'the memory of this process',
  fleet: 'what all routers share',
  stale: 'an older copy, as what all routers share could not be asked',
  configuration: 'the configuration alone',
  none: 'the configuration alone, as nobody had told of the fleet yet',
}

export const signalAges: Explainer = ({ record }) => [...viewAge(record), ...scrapes(record)]

function viewAge({ view }: ExplainedRecord): readonly string[] {
  if (view === undefined) return []
  const source = Object.hasOwn(SOURCES, view.source) ? SOURCES[view.source] : named(view.source)
  return [`The state of the fleet came from ${source} and was ${milliseconds(view.age_ms)} old.`]
}

function scrapes({ candidates = [], view }: ExplainedRecord): readonly string[] {
  const ages = candidates.flatMap(({ worker, now }) => {
    const { scraped } = now !== undefined && isKnownNow(now) ? fromRecordedNow(now) : { scraped: null }
    return scraped === null ? [] : [{ worker, ageMs: scraped.ageMs + (view?.age_ms ?? 0) }]
  })
  const [oldest] = ages.toSorted((one, other) => other.ageMs - one.ageMs)
  if (oldest === undefined) return []
  const youngestMs = Math.min(...ages.map(({ ageMs }) => ageMs))
  if (ages.length === 1) return [`The metrics of ${named(oldest.worker)} were ${milliseconds(oldest.ageMs)} old.`]
  if (youngestMs === oldest.ageMs) return [`The metrics of the workers were all ${milliseconds(youngestMs)} old.`]
  const range = `${amount(Math.round(youngestMs))} to ${amount(Math.round(oldest.ageMs))}`
  return [`The metrics of the workers were ${range} ms old; those of ${named(oldest.worker)} were the oldest.`]
}
