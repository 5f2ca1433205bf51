// docs/metrics.md lists every metric as it is.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { METRICS, type MetricDefinition } from './definitions.ts'

const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')

test('every metric has its line, with type, labels and what it is', () => {
  const rows = [...page.matchAll(/^\| `(vllm_router_\w+)`(?: \*)? \| (.*) \|$/gm)].map(([, name, rest]) => [name, rest])
  const lines = Object.entries<MetricDefinition>(METRICS).map(([name, { type, labels, help }]) => {
    return [name, [type, labels.map((label) => `\`${label}\``).join(', '), help].join(' | ')]
  })
  expect(rows).toEqual(lines)
})
