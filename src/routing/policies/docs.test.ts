// docs/policies.md says what is true: its example is a file that works, and its YAML loads.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { candidateOf, inputOf, policyConformance, viewOf } from '../../../test/conformance/policy.ts'
import preferLabel from '../../../test/fixtures/policies/prefer-label.ts'
import { decide, VETO } from '../decide.ts'
import { OVER_LOAD_BOUND } from '../load-bound.ts'
import { BUILT_IN_POLICIES, policyRegistry } from './index.ts'

const page = readFileSync(new URL('../../../docs/policies.md', import.meta.url), 'utf8')

function blocks(language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text ?? '')
}

policyConformance('the example', preferLabel, { label: 'tier' })

test('the example on the page is the file that is tested', () => {
  const file = readFileSync(new URL('../../../test/fixtures/policies/prefer-label.ts', import.meta.url), 'utf8')
  const asUsersImportIt = file.replace(/'(\.\.\/){3}src\/[a-z/-]+\.ts'/, "'vllm-edge-router'")
  expect(blocks('ts')).toEqual([asUsersImportIt])
})

test('the example prefers the label, then the least load', () => {
  const policy = preferLabel.create({ label: 'tier', value: 'reserved' })
  const fleet = [
    candidateOf('idle'),
    candidateOf('busy', { labels: { tier: 'reserved' }, inFlightHere: 90 }),
    candidateOf('busier', { labels: { tier: 'reserved' }, inFlightHere: 91 }),
  ]
  expect(decide(inputOf(), { policy }, viewOf(fleet), 1).chosen?.id).toBe('busy')
})

describe('the YAML on the page', () => {
  const registry = policyRegistry({ prefer_label: preferLabel })

  test.each(blocks('yaml'))('%s', (yaml) => {
    const { type, ...options } = parse(yaml).policy
    const definition = registry.get(type)
    const parsed = definition?.options.parse(options)
    expect(definition?.create(parsed).name).toBe(type)
    expect(definition?.warnings?.(parsed) ?? []).toEqual([])
  })

  test('every policy has its section, and every veto its line', () => {
    for (const name of BUILT_IN_POLICIES.keys()) expect(page).toContain(`\n## ${name}\n`)
    for (const veto of [...Object.values(VETO), OVER_LOAD_BOUND]) expect(page).toContain(`\n| \`${veto}\` |`)
  })
})
