// Every file of configs/ loads as it stands, with nothing in the environment and nothing to remark.
// They are what newcomers copy, so a warning is as bad as an error.

import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'

const FOLDER = new URL('../../configs/', import.meta.url)
// Its policy comes from a plug-in, and the test of that plug-in loads it.
const WITH_PLUGIN = ['custom-policy.yaml']
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml') && !WITH_PLUGIN.includes(name))

/** Articles are taken as they were printed. */
const REMARKED: Readonly<Record<string, RegExp>> = {
  'article-tracing.yaml': /4317/,
  'article-router-replay.yaml': /without a model when none of them holds/,
}

test.each(files)('%s', async (name) => {
  const text = readFileSync(new URL(name, FOLDER), 'utf8')
  const result = await loadConfig(text, { env: () => undefined, policies: BUILT_IN_POLICIES, source: name })
  const remarked = REMARKED[name]
  expect(result.findings.filter(({ message }) => !(remarked?.test(message) ?? false))).toEqual([])
  expect(result.ok).toBe(true)
})

test.each([...BUILT_IN_POLICIES.keys()])('%s has an example of its own', (policy) => {
  expect(files).toContain(`${policy.replaceAll('_', '-')}.yaml`)
})
