// What another configuration makes of a request's nearness to clusters, from its record alone.

import { describe, expect, test } from 'vitest'
import { configOf } from '../../test/support/decided-log.ts'
import { comparedUnder, recordUnder } from '../../test/support/replayed-record.ts'
import type { Config } from '../config/config.ts'

const POOL = ['a', 'b', 'c'].map((id) => `  - {id: ${id}, url: "http://${id}", models: [m]}\n`).join('')

const yaml = (workers: string, threshold = 0.5, examples = '[x]') => `
workers:
${POOL}
policy: least_load
semantic_cluster:
  embeddings_url: http://vectors
  threshold: ${threshold}
  clusters: [{name: code, examples: ${examples}, workers: [${workers}]}]
`

function recorded(config: Config, similarity = 0.7, seed = 7) {
  const { basis, threshold, clusters } = config.semanticCluster ?? { basis: '', threshold: 0, clusters: [] }
  const ranked = clusters.map(({ name, workers, labels }) => ({ name, similarity, workers, labels }))
  return recordUnder(config, { input: { cluster: { basis, threshold, ranked } }, seed })
}

describe('a configuration with the same examples', () => {
  test.each([
    ['other workers in the cluster', yaml('c'), { before: 'b', after: 'c', verdict: 'different', cause: 'policy' }],
    ['a threshold that is still met', yaml('b', 0.7), { before: 'b', after: 'b', verdict: 'same', cause: null }],
  ])('%s', async (_, after, expected) => {
    const compared = comparedUnder(await configOf(after), recorded(await configOf(yaml('b'))))
    expect(compared).toMatchObject(expected)
  })

  test('a threshold that is not met: any worker may take it', async () => {
    const seeds = Array.from({ length: 40 }, (_, seed) => seed)
    const [before, after] = await Promise.all([configOf(yaml('b')), configOf(yaml('b', 0.8))])
    const compared = seeds.map((seed) => comparedUnder(after, recorded(before, 0.7, seed)))
    expect(new Set(compared.map((each) => each.after))).toEqual(new Set(['a', 'b', 'c']))
    expect(compared.every((each) => each.before === 'b')).toBe(true)
  })

  test('without clusters any worker may take it', async () => {
    const after = await configOf(`workers:\n${POOL}\npolicy: {type: consistent_hash}\n`)
    expect(comparedUnder(after, recorded(await configOf(yaml('b')))).verdict).not.toBe('not_comparable')
  })
})

describe('what is not known is said', () => {
  test('other examples', async () => {
    const after = await configOf(yaml('b', 0.5, '[y]'))
    expect(comparedUnder(after, recorded(await configOf(yaml('b'))))).toMatchObject({
      verdict: 'not_comparable',
      cause: 'missing_fact',
      why: expect.stringContaining('examples'),
    })
  })

  test('a record of a router without clusters', async () => {
    const before = recordUnder(await configOf(`workers:\n${POOL}`))
    expect(comparedUnder(await configOf(yaml('b')), before)).toMatchObject({
      verdict: 'not_comparable',
      cause: 'missing_fact',
    })
  })

  test('a record of the same configuration without a vector is decided without clusters, as it was', async () => {
    const config = await configOf(yaml('b'))
    expect(comparedUnder(config, recordUnder(config))).toMatchObject({ verdict: 'same' })
  })
})
