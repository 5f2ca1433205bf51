// Prints the closing line of a CI run, `N passed, N failed`, from vitest's JSON report.

import { existsSync, readFileSync } from 'node:fs'

const [report = '', status = '1'] = process.argv.slice(2)

interface Counts {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numFailedTestSuites: number
}

function readCounts(): { passed: number; failed: number } {
  // No report: type check, lint or installation failed before any test ran.
  if (!existsSync(report)) return { passed: 0, failed: 1 }
  const counts: Counts = JSON.parse(readFileSync(report, 'utf8'))
  const failed = counts.numFailedTests
  // A file that could not be loaded fails without a failed test in it.
  return { passed: counts.numPassedTests, failed: failed === 0 && status !== '0' ? 1 : failed }
}

const { passed, failed } = readCounts()
process.stdout.write(`${passed} passed, ${failed} failed\n`)
