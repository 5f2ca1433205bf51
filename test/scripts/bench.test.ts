// The commands that measure, each in its shortest form: that they run, find what they need, and count right answers.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

async function measure(...args: readonly string[]): Promise<string> {
  return (await run(process.execPath, [...args], { cwd: root })).stdout
}

interface Report {
  readonly comparisons: readonly {
    readonly targets: readonly {
      readonly name: string
      readonly requestsPerSecond: number
      readonly refusedShare: number
      readonly failedShare: number
    }[]
    readonly ratios: readonly { readonly name: string; readonly baseline: string }[]
  }[]
}

test(
  'npm run bench compares the router, everything switched on, with a bare pass-through',
  { timeout: 120_000 },
  async () => {
    const options = ['--quick', '--runtime', 'node', '--kind', 'all', '--peer', 'none', '--json']
    const report: Report = JSON.parse(await measure('bench/run.ts', ...options))
    const [comparison] = report.comparisons
    expect(comparison?.targets.map(({ name }) => name)).toEqual([
      'node pass-through',
      'node router',
      'node everything',
      'straight to upstream',
    ])
    for (const { name, requestsPerSecond, refusedShare, failedShare } of comparison?.targets ?? []) {
      expect(requestsPerSecond, name).toBeGreaterThan(0)
      expect(refusedShare + failedShare, name).toBe(0)
    }
    expect(comparison?.ratios.map(({ name, baseline }) => [name, baseline])).toEqual([
      ['node router', 'node pass-through'],
      ['node everything', 'node pass-through'],
    ])
  },
)

test('npm run bench:ladder climbs from the pass-through to the router', { timeout: 120_000 }, async () => {
  const table = await measure('bench/ladder/main.ts', '--quick', '--runtime', 'bun')
  const figures = Array.from(
    table.matchAll(/^(bare pass-through|\d\. .*?|the router with its defaults) {2,}(\d\.\d+) /gm),
  )
  expect(figures.map(([, name = '']) => name.split(' ')[0])).toEqual([
    'bare',
    '1.',
    '2.',
    '3.',
    '4.',
    '5.',
    '6.',
    '7.',
    'the',
  ])
})
