// Decisions by what LMCache said, made again: as recorded, and under another weight or another mode.

import { describe, expect, test } from 'vitest'
import { configOf } from '../../test/support/decided-log.ts'
import { comparedUnder, type RecordOptions, recordUnder } from '../../test/support/replayed-record.ts'
import type { Comparison } from './compare.ts'

function yaml(options: string): string {
  return `workers:
  - {id: a, url: "http://a", models: [m]}
  - {id: b, url: "http://b", models: [m]}
policy: {type: lmcache_aware, controller_url: "http://10.0.0.9:9000", ${options}}
`
}

const LOOKUP = yaml('lookup_mode: prefix_lookup, cache_weight: 0.9')

const lmcache = {
  matchedTokens: { b: 1_024 },
  promptTokens: 4_096,
  chunkCounts: { a: 90, b: 10 },
  prefillMsPerToken: 0.2,
}
const prefix = { promptTokens: 4_096, cachedTokens: {}, backlogTokens: { b: 2_000 }, prefillMsPerToken: 0.2 }
const steps = [
  { step: 'tokenize', outcome: 'ok', ms: 4 },
  { step: 'lookup', outcome: 'ok', ms: 3 },
]

const OPTIONS: RecordOptions = {
  input: { lmcache, prefix },
  now: { b: { inFlightHere: 1 } },
  given: { route: '/v1/chat/completions', steps },
}

async function replayed(before: string, after: string, options: RecordOptions = OPTIONS): Promise<Comparison> {
  return comparedUnder(await configOf(after), recordUnder(await configOf(before), options))
}

describe('a record of a lookup', () => {
  test('comes out the same again, exactly', async () => {
    expect(await replayed(LOOKUP, LOOKUP)).toMatchObject({ before: 'b', verdict: 'same', assumed: [] })
  })

  test('tells what another weight would have made of it', async () => {
    const other = yaml('lookup_mode: prefix_lookup, cache_weight: 0.4')
    expect(await replayed(LOOKUP, other)).toMatchObject({ before: 'b', after: 'a', assumed: ['cache'] })
  })

  test('tells what occupancy alone would have', async () => {
    expect(await replayed(LOOKUP, yaml('lookup_mode: occupancy'))).toMatchObject({ before: 'b', after: 'a' })
  })

  test('that came to nothing is as good: the chain goes on', async () => {
    const failed = { ...lmcache, matchedTokens: null, promptTokens: null }
    const given = { ...OPTIONS.given, steps: [{ step: 'tokenize', outcome: 'timeout', ms: 100 }] }
    const options = { ...OPTIONS, input: { lmcache: failed, prefix }, given }
    expect(await replayed(LOOKUP, LOOKUP, options)).toMatchObject({ before: 'a', verdict: 'same' })
    expect(await replayed(LOOKUP, yaml('lookup_mode: prefix_lookup, cache_weight: 0.1'), options)).toMatchObject({
      verdict: 'same',
    })
  })
})

test('a record without lookups says nothing of them', async () => {
  const known = { ...lmcache, matchedTokens: null, promptTokens: null }
  const given = { route: '/v1/chat/completions', steps: [{ step: 'occupancy', outcome: 'ok', ms: 0 }] }
  const compared = await replayed(yaml('lookup_mode: occupancy'), LOOKUP, { input: { lmcache: known }, given })
  expect(compared).toMatchObject({ verdict: 'not_comparable', cause: 'missing_fact' })
  expect(compared.why).toContain('looks prompts up')
})
