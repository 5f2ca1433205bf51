import { expect, test } from 'vitest'
import { policyRegistry } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'

async function load(section: string) {
  const result = await loadConfig(`workers: [{url: "http://a:1"}]\n${section}`, {
    env: () => undefined,
    policies: policyRegistry(undefined),
  })
  const findings = result.findings.map(({ severity, path, message }) => `${severity} ${path}: ${message}`)
  return { findings, log: result.ok ? result.config.decisionLog : null }
}

test('without a section records stay in memory', async () => {
  expect((await load('')).log).toEqual({
    exportPath: null,
    exportIntervalMs: 10_000,
    includesRequestText: false,
    includesPrefixHashes: false,
    rotateBytes: 64 * 1024 * 1024,
    fsync: 'interval',
    retentionMs: null,
    retentionBytes: null,
    exportSample: 1,
  })
})

test('takes what the Rust router takes, and more', async () => {
  const { findings, log } = await load(`decision_log:
  export_path: /var/log/decisions.jsonl
  export_interval_secs: 5
  include_request_text: true
  rotate_bytes: 10MB
  fsync: always
  retention_days: 30
  retention_bytes: 5GiB
  export_sample: 0.1
`)
  expect(findings).toEqual([])
  expect(log).toEqual({
    exportPath: '/var/log/decisions.jsonl',
    exportIntervalMs: 5_000,
    includesRequestText: true,
    includesPrefixHashes: false,
    rotateBytes: 10_000_000,
    fsync: 'always',
    retentionMs: 30 * 86_400_000,
    retentionBytes: 5 * 1024 ** 3,
    exportSample: 0.1,
  })
})

test.each([
  ['{export_path: ""}', 'error decision_log.export_path: must not be empty'],
  ['{fsync: sometimes}', 'error decision_log.fsync: must be never, interval or always'],
  ['{rotate_bytes: 2GiB}', 'error decision_log.rotate_bytes: must be at most 1GiB'],
  ['{retention_days: 0}', 'error decision_log.retention_days: must be a number of days above zero'],
  ['{export_sample: 2}', 'error decision_log.export_sample: must be a number above 0 and up to 1'],
  ['{export_sample: 0}', 'error decision_log.export_sample: must be a number above 0 and up to 1'],
  ['{export_interval_secs: 0}', 'error decision_log.export_interval_secs: must be a number of seconds above zero'],
  ['{exprot_path: a}', 'error decision_log.exprot_path'],
])('%s is refused', async (section, expected) => {
  const { findings } = await load(`decision_log: ${section}\n`)
  expect(findings).toHaveLength(1)
  expect(findings[0]).toContain(expected)
})
