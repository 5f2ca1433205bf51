// Findings as text for people: one line each, in the form editors can jump to.
// Programs take the findings as they are; they are plain data.

import type { Finding, Severity } from './finding.ts'

/** `config.yaml:12:3 error workers[0].url: ...` for each finding. */
export function formatFindings(findings: readonly Finding[], source: string): string {
  return findings.map((finding) => `${formatFinding(finding, source)}\n`).join('')
}

function formatFinding({ severity, path, line, column, message }: Finding, source: string): string {
  const place = line === null ? source : `${source}:${line}:${column ?? 1}`
  // YAML lets keys and values hold control characters, and this goes to a terminal.
  return printable(`${place} ${severity}${path === '' ? '' : ` ${path}`}: ${message}`)
}

function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (character) => JSON.stringify(character).slice(1, -1))
}

/** `2 errors, 1 warning`; empty when there is nothing to count. */
export function countFindings(findings: readonly Finding[]): string {
  const severities: readonly Severity[] = ['error', 'warning', 'note']
  return severities
    .map((severity) => ({ severity, count: findings.filter((finding) => finding.severity === severity).length }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => `${count} ${severity}${count === 1 ? '' : 's'}`)
    .join(', ')
}
