// How findings look to people.
// Editors and terminals read this text, so it is compared to the letter.

import { expect, test } from 'vitest'
import { formatPath, type Finding } from './finding.ts'
import { countFindings, formatFindings } from './print.ts'

const at = { line: 12, column: 3 }
const FINDINGS: readonly Finding[] = [
  { severity: 'error', path: 'workers[0].url', ...at, message: 'is empty' },
  { severity: 'warning', path: '', line: null, column: null, message: 'odd \u001b[31m\n' },
  { severity: 'error', path: 'port', ...at, message: 'x' },
]

test('one line each, control characters made visible', () => {
  expect(formatFindings(FINDINGS, 'config.yaml')).toBe(
    'config.yaml:12:3 error workers[0].url: is empty\n' +
      'config.yaml warning: odd \\u001b[31m\\n\n' +
      'config.yaml:12:3 error port: x\n',
  )
})

test('counts', () => {
  expect(countFindings(FINDINGS)).toBe('2 errors, 1 warning')
  expect(countFindings([])).toBe('')
})

test('paths', () => {
  expect(formatPath(['workers', 1, 'labels', 'zone'])).toBe('workers[1].labels.zone')
  expect(formatPath(['worker_api_keys', 'http://u:p@a:8000'])).toBe('worker_api_keys["http://***@a:8000"]')
  expect(formatPath([])).toBe('')
})
