import { describe, expect, test } from 'vitest'
import { formatFor, toJsonLine, toTextLine } from './entry-text.ts'

const ENTRY = { time: '2026-11-21T14:36:05.123Z', level: 'warn', event: 'worker' } as const

/** What ends lines, moves cursors, rings bells and turns text around. */
const HOSTILE = 'a\r\nb\u0000\u0007\u001b[31mred\u009b2J\u0085\u2028\u2029\u202egnp\u2066\u007f"q" \\ é 模'
const ACTED_ON = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/u

describe('a line', () => {
  test('of JSON has what was meant, and nothing that a terminal or an editor acts on', () => {
    const line = toJsonLine({ ...ENTRY, model: HOSTILE, [HOSTILE]: [HOSTILE] })
    expect(line).not.toMatch(ACTED_ON)
    expect(JSON.parse(line)).toEqual({ ...ENTRY, model: HOSTILE, [HOSTILE]: [HOSTILE] })
  })

  test('of text neither', () => {
    const line = toTextLine({ ...ENTRY, message: HOSTILE, model: HOSTILE }, { hasColors: false })
    expect(line).not.toMatch(ACTED_ON)
  })

  test('of text is read at a glance: words bare, the rest quoted, what is not known left out', () => {
    const fields = { worker: 'http://10.0.0.7:8000', reason: 'two words', error: undefined, why: null, failures: 3 }
    expect(toTextLine({ ...ENTRY, ...fields, list: ['a'] }, { hasColors: false })).toBe(
      '14:36:05.123 warn  worker worker=http://10.0.0.7:8000 reason="two words" failures=3 list=["a"]',
    )
  })

  test('of text shows its level in colours where there are any', () => {
    expect(toTextLine(ENTRY, { hasColors: true })).toBe('14:36:05.123 \u001b[33mwarn \u001b[39m worker')
  })
})

test('auto is text at a terminal and JSON elsewhere; what was asked for holds anywhere', () => {
  expect(['auto', 'json', 'text'].map((format) => formatFor(format as 'auto', true))).toEqual(['text', 'json', 'text'])
  expect(['auto', 'json', 'text'].map((format) => formatFor(format as 'auto', false))).toEqual(['json', 'json', 'text'])
})
