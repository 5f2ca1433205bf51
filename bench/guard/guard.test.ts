// No part of the request path has become another order of thing: each costs what it did, in units of a reference loop. In a
// process of its own, as a test runner's modules cost more than those that run.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import { grownParts, LOOSE_FACTOR, type Ratios, verdictText } from './judge.ts'

const baseline: Ratios = JSON.parse(readFileSync(new URL('./baseline.json', import.meta.url), 'utf8'))

test('no part costs more than it did', { timeout: 120_000 }, async () => {
  const program = fileURLToPath(new URL('./main.ts', import.meta.url))
  const run = await promisify(execFile)(process.execPath, ['--single-threaded', program, '--json']).catch(
    (failed: { stdout?: string }) => failed,
  )
  const { measured, grown }: { measured: Ratios; grown: string[] } = JSON.parse(run.stdout ?? '')
  expect(grown).toEqual([])
  expect(Object.keys(measured)).toEqual(Object.keys(baseline))
})

test('every policy is watched, and the rest of the path', () => {
  const policies = Array.from(BUILT_IN_POLICIES.keys(), (name) => `decide:${name}`)
  const others = ['scan', 'headers', 'record', 'replay', 'relay', 'metrics', 'explain', 'pipeline']
  expect(Object.keys(baseline)).toEqual(expect.arrayContaining([...policies, ...others]))
})

test('a part that grows is named, with what it cost and may cost', () => {
  const grown = grownParts({ scan: 3, record: 2 * LOOSE_FACTOR + 0.1 }, { scan: 2, record: 2 })
  expect(grown.map(({ part }) => part)).toEqual(['record'])
  expect(grown.map(verdictText).join()).toMatch(/^record has grown: it costs 5\.1 times its reference, at most 5\.0/)
})

test('a part that nobody has measured yet fails by name', () => {
  expect(grownParts({ fresh: 1 }, {}).map(verdictText)).toEqual([
    'fresh has no baseline: `npm run bench:guard -- --write` adds it',
  ])
})
