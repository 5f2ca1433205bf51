// The page of text: aligned, within its width, coloured only where that is wanted.

import { expect, test } from 'vitest'
import { candidateOf } from '../../test/conformance/policy.ts'
import { explained } from '../../test/support/explained-decision.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { COLOURED } from './paint.ts'
import { toText } from './text.ts'

const scraped = { running: 3, waiting: 12, kvUsage: 0.5, ours: 1, ageMs: 2_400 }
const fleet = Array.from({ length: 8 }, (_, at) =>
  candidateOf(`http://a-rather-long-host-name-${at}.example.org:8000`, {
    inFlightHere: at * 3,
    weight: 1 + (at % 2),
    availability: at === 7 ? 'draining' : 'up',
    scraped,
  }),
)

test('the columns stand under their titles', () => {
  const candidates = [
    candidateOf('gpu-0', { inFlightHere: 4, inFlightElsewhere: 9, weight: 2 }),
    candidateOf('gpu-1', { inFlightHere: 1, inFlightElsewhere: 2 }),
    candidateOf('small', { models: new Set(['other']) }),
  ]
  const text = toText(explained({ policy: 'least_load', candidates }))
  expect(text.slice(text.indexOf('Candidates'), text.indexOf('\n\nAttempts'))).toBe(
    [
      'Candidates',
      '  worker  score  here  elsewhere  load  weight  why',
      '> gpu-1      -3     1          2     3       1  chosen',
      '  gpu-0    -6.5     4          9   6.5       2  not the best',
      '  small                                      1  left out: other model',
    ].join('\n'),
  )
})

test.each([...BUILT_IN_POLICIES.keys()])(
  '%s: every line fits 80 columns, with the score and the reason in it',
  (policy) => {
    const text = toText(explained({ policy, candidates: fleet, worker: 'nobody' }), { width: 80 })
    const tooLong = text
      .split('\n')
      .slice(2)
      .filter((line) => line.length > 80)
    expect(tooLong).toEqual([])
    const titles = text.split('\n').find((line) => line.startsWith('  worker')) ?? ''
    expect(titles).toMatch(/^ {2}worker +score .*why$/)
  },
)

test('colours change nothing but colours', () => {
  const explanation = explained({ policy: 'least_load', candidates: fleet })
  const coloured = toText(explanation, { paint: COLOURED })
  expect(coloured).toContain('\u001b[32m>')
  // oxlint-disable-next-line no-control-regex -- the escape sequences are what is taken out
  expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(toText(explanation))
})
