import { describe, expect, test } from 'vitest'
import { madeUpReport } from '../../test/support/made-up-report.ts'
import { failIfNames, parseFailIf, whyFailed } from './fail-if.ts'

const LINES = { read: 200, blank: 0, unreadable: 2, reasons: [] }
const report = madeUpReport({
  total: 100,
  same: 60,
  different: 20,
  newly_refused: 5,
  no_worker: 10,
  not_comparable: 10,
})

function why(text: string, of = report): string | null {
  const parsed = parseFailIf(text)
  if (!parsed.ok) throw new Error(parsed.message)
  return whyFailed(parsed.condition, of, LINES)
}

test.each([
  ['moved>0.2', true],
  ['moved>0.25', false],
  ['moved >= 25%', true],
  ['same<.8', true],
  ['refused>5%', true],
  ['not_comparable==0.1', true],
  ['no_worker!=0.1', false],
  ['unreadable>=1%', true],
  ['hotspot>1.2', true],
  ['hotspot_before>1.2', false],
  ['total<1000', true],
  ['moved>0.9 or hotspot>1.2', true],
  ['moved>0.2 and hotspot>9', false],
  ['moved>0.9 and hotspot>9 or total>1', true],
  ['moved>0.2 && total>1 || same>1', true],
])('%s', (text, isMet) => {
  expect(why(text) !== null).toBe(isMet)
})

test('says what is and what was asked', () => {
  expect(why('moved>0.2 and total>1')).toBe('moved is 0.25 (moved>0.2) and total is 100 (total>1)')
})

test('a value that there is not meets every condition', () => {
  const empty = madeUpReport({})
  expect(why('moved>0.2', empty)).toBe('moved can not be told (moved>0.2)')
  expect(why('same<0.1', empty)).not.toBeNull()
  expect(why('cached<0.1', empty)).not.toBeNull()
})

describe('what is no condition', () => {
  test.each([
    ['', 'is no condition'],
    ['moved', 'is no condition'],
    ['moved>lots', 'is no condition'],
    ['moved>0.2 or', 'is no condition'],
    ['moves>0.2', 'there is no `moves`; known are moved, same, refused'],
    ['constructor>0', 'there is no `constructor`'],
  ])('%s', (text, message) => {
    expect(parseFailIf(text)).toEqual({ ok: false, message: expect.stringContaining(message) })
  })
})

test('every name is known', () => {
  for (const { name } of failIfNames()) expect(parseFailIf(`${name}>0`).ok).toBe(true)
})
