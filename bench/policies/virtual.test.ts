// The whole command on a small trace: the same page to the byte, whoever does which run.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { conversations, toTraceLine } from './made-up-trace.ts'
import { parsePolicyBenchOptions } from './options.ts'
import { toPage } from './page.ts'
import { drawPlots } from './plots.ts'
import { sliceOf } from './slice.ts'
import { runVirtual } from './virtual.ts'

const directory = mkdtempSync(join(tmpdir(), 'vllm-edge-router-bench-'))
afterAll(() => rmSync(directory, { recursive: true }))

const requests = conversations(30, 5)
writeFileSync(join(directory, 'made_up.jsonl'), requests.map(toTraceLine).join('\n'))

async function pageWith(threads: number): Promise<string> {
  const results = await runVirtual({
    source: { directory, limit: 100 },
    extent: {
      traces: ['made_up'],
      fleets: [2, 8],
      loads: [0.6, 0.85],
      contenders: ['random', 'least_load', 'cache_aware', 'oracle'],
    },
    threads,
    isQuick: true,
    onProgress() {},
  })
  const plots = drawPlots(results)
  return [toPage(results, plots), ...plots.map(({ svg }) => svg)].join('\n')
}

test('the same page and plots twice, whatever the number of threads', async () => {
  const page = await pageWith(1)
  expect(await pageWith(2)).toBe(page)
  expect(page).toContain('## made_up')
  expect(page).toContain('cache_aware finds at least twice what random finds')
  expect(page).not.toContain('NaN')
})

describe('options', () => {
  test('default to everything, and --quick to little', () => {
    expect(parsePolicyBenchOptions([])).toMatchObject({ runsHttp: true, runsVirtual: true, limit: Infinity })
    const quick = { runsHttp: false, limit: 400, extent: { fleets: [8], loads: [0.85] } }
    expect(parsePolicyBenchOptions(['--quick'])).toMatchObject(quick)
    expect(parsePolicyBenchOptions(['--policy', 'random,oracle'])?.extent.contenders).toEqual(['random', 'oracle'])
    expect(parsePolicyBenchOptions(['--help'])).toBeNull()
  })

  test.each([
    ['--policy', 'best', /--policy best is none of random, /],
    ['--only', 'nothing', /neither virtual nor http/],
    ['--workers', '1.5', /--workers 1\.5 is no whole number/],
    ['--load', '0', /--load 0 is no number above zero/],
  ])('%s %s says what is wrong', (flag, value, message) => {
    expect(() => parsePolicyBenchOptions([flag, value])).toThrow(message)
  })
})

test('a slice keeps the longest conversations whole and in order', () => {
  const slice = sliceOf(requests, { requests: 40, maxPromptTokens: 100_000, outputTokens: 8 })
  expect(slice.length).toBe(40)
  const numbers = slice.map(({ blocks }) => requests.findIndex((request) => request.blocks.join() === blocks.join()))
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  expect(new Set(slice.map(({ outputTokens }) => outputTokens))).toEqual(new Set([8]))
})
