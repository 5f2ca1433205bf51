// Labels that servers give, against the names of rules.

import { describe, expect, test } from 'vitest'
import { foldedLabel, namedLabel, scoreOf } from './labels.ts'

test.each([
  ['Computer Science', 'computer_science'],
  ['computer-science', 'computer science'],
  ['FACT_CHECK_NEEDED', 'needs_fact_check'],
  ['SAT', 'satisfied'],
  ['Économie', 'économie'],
])('%s and %s are one label', (one, other) => {
  expect(foldedLabel(one)).toBe(foldedLabel(other))
})

test('the best of the labels that a rule stands for counts, whatever else there is', () => {
  const labels = [
    { label: 'Math', score: 0.4 },
    { label: 'physics', score: 0.5 },
    { label: 'law', score: 0.9 },
  ]
  expect(scoreOf(labels, ['math', 'PHYSICS'])).toBe(0.5)
  expect(scoreOf(labels, ['history'])).toBe(0)
})

describe('what a chat model names', () => {
  const labels = ['needs_fact_check', 'no_fact_check_needed', 'math', 'computer science', 'other']
  test.each([
    ['math', 'math'],
    ['  "Math."\n', 'math'],
    ['{"label": "computer_science"}', 'computer science'],
    ['```json\n{"route": "math", "reason": "not other"}\n```', 'math'],
    ['The label is: computer science', 'computer science'],
    ['no fact check needed', 'no_fact_check_needed'],
    ['math or other', null],
    ['{label: math', 'math'],
    ['{"label": 3} math', 'math'],
    ['mathematics', null],
    ['I can not say', null],
    ['', null],
  ])('%s: %s', (answer, label) => {
    expect(namedLabel(answer, labels)).toBe(label)
  })

  test('a label within another counts only where it stands alone', () => {
    expect(namedLabel('it is wrong answer', ['answer', 'wrong answer'])).toBe('wrong answer')
    expect(namedLabel('answer, wrong answer', ['answer', 'wrong answer'])).toBeNull()
  })
})
