// Decisions by where prompts are cached, made again: as recorded, by a model of the caches, or not at all.

import { describe, expect, test } from 'vitest'
import { configOf } from '../../test/support/decided-log.ts'
import { comparedUnder, type Recorded, type RecordOptions, recordUnder } from '../../test/support/replayed-record.ts'
import type { Comparison } from './compare.ts'
import { Replay } from './replay.ts'

const POOL = `workers:
  - {id: a, url: "http://a", models: [m, n]}
  - {id: b, url: "http://b", models: [m, n]}
`
const LEAST = `${POOL}policy: least_load\n`
const AWARE = `${POOL}policy: cache_aware\n`

const prefix = { promptTokens: 9_000, cachedTokens: { b: 8_000 }, backlogTokens: {}, prefillMsPerToken: 0.2 }
const chat = { route: '/v1/chat/completions' }

async function replayed(before: string, after: string, options: RecordOptions): Promise<Comparison> {
  return comparedUnder(await configOf(after), recordUnder(await configOf(before), options))
}

describe('a record that says where its prompt was cached', () => {
  const options = { input: { prefix }, given: chat }

  test('comes out the same again under its configuration, exactly', async () => {
    expect(await replayed(AWARE, AWARE, options)).toMatchObject({ before: 'b', verdict: 'same', assumed: [] })
  })

  test('is taken by its word under another one, which is said', async () => {
    const other = `${POOL}policy: {type: cache_aware, cache_threshold: 0.95}\n`
    const busy = { ...options, now: { b: { inFlightHere: 1 } } }
    expect(await replayed(AWARE, other, busy)).toMatchObject({ before: 'b', after: 'a', assumed: ['cache'] })
  })

  test('says nothing of another model', async () => {
    const renamed = `${AWARE}model_rules: [{match: m, rewrite: n}]\n`
    const compared = await replayed(AWARE, renamed, {
      ...options,
      given: { ...chat, original_model: 'm', request_bytes: 50_000 },
    })
    expect(compared).toMatchObject({ verdict: 'not_comparable', cause: 'missing_fact' })
  })

  test('is of no consequence to policies that don’t ask', async () => {
    const busy = { ...options, now: { b: { inFlightHere: 1 } } }
    expect(await replayed(AWARE, LEAST, busy)).toMatchObject({ after: 'a', assumed: [] })
  })
})

describe('a record that does not', () => {
  test('is not comparable, and says what would have helped', async () => {
    const compared = await replayed(LEAST, AWARE, { given: { ...chat, request_bytes: 50_000 } })
    expect(compared).toMatchObject({ verdict: 'not_comparable', cause: 'missing_fact' })
    expect(compared.why).toContain('`decision_log.include_prefix_hashes`')
  })

  test.each([
    ['has too short a prompt for that', { ...chat, request_bytes: 500 }, ['cache']],
    ['has none', { route: '/v1/embeddings', request_bytes: 50_000 }, []],
    ['had to go where it went', { ...chat, request_bytes: 50_000, pinned: 'b' }, []],
  ])('is not missed where the request %s', async (_, given, assumed) => {
    const now = { a: { inFlightHere: 1 } }
    expect(await replayed(LEAST, AWARE, { given, now })).toMatchObject({ before: 'b', after: 'b', assumed })
  })

  test('nobody asked LMCache, either', async () => {
    const lmcache = `${POOL}policy: {type: lmcache_aware, controller_url: "http://10.0.0.9:9000"}\n`
    const compared = await replayed(LEAST, lmcache, { given: { ...chat, request_bytes: 50_000 } })
    expect(compared.why).toContain('nobody asked it about this one')
  })
})

describe('by a model of the caches', () => {
  const hashes = (name: string, count: number) => Array.from({ length: count }, (_, at) => `${name}${at}`)

  async function reportOf(records: readonly RecordOptions[]) {
    const config = await configOf(AWARE)
    const replay = new Replay({
      configs: [{ name: 'aware', config }],
      against: null,
      by: null,
      prefixCache: { cacheBlocks: 100, blockTokens: 512 },
    })
    const before = await configOf(LEAST)
    const logged: Recorded[] = records.map((options) => recordUnder(before, options))
    for (const { record, document } of logged) replay.add(record, document)
    return replay.reports()[0]
  }

  test('conversations stay where they began', async () => {
    const turn = (name: string, blocks: number, busy: 'a' | 'b'): RecordOptions => ({
      given: { ...chat, prefix_hashes: hashes(name, blocks) },
      // By load alone each turn goes to the other worker.
      now: { [busy]: { inFlightHere: 1 } },
    })
    const report = await reportOf([
      turn('x', 10, 'b'),
      turn('y', 10, 'a'),
      turn('x', 12, 'a'),
      turn('y', 12, 'b'),
      turn('x', 14, 'b'),
      turn('y', 14, 'a'),
    ])
    expect(report).toMatchObject({ same: 4, different: 2, not_comparable: 0 })
    expect(report?.modelled.assumptions.cache).toBe(6)
    expect(report?.prefix).toMatchObject({ after: { cached_tokens: 44 * 512 } })
  })
})
