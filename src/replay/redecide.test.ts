// Decisions made again by configurations whose workers, health settings or facts are not those of then.

import { describe, expect, test } from 'vitest'
import { configOf } from '../../test/support/decided-log.ts'
import { comparedUnder, type RecordOptions, recordUnder } from '../../test/support/replayed-record.ts'

const worker = (id: string, rest = '') => `  - {id: ${id}, url: "http://${id}", models: [m]${rest}}\n`
const POOL = `workers:\n${worker('a')}${worker('b')}`

async function replayed(after: string, options: RecordOptions = {}, before = POOL) {
  return comparedUnder(await configOf(after), recordUnder(await configOf(before), options))
}

describe('workers', () => {
  // Turn 3 of two workers is the second one's.
  test('one that is gone', async () => {
    const compared = await replayed(`workers:\n${worker('a')}`)
    expect(compared).toMatchObject({ before: 'b', after: 'a', verdict: 'different', cause: 'workers', assumed: [] })
  })

  test('one that came is taken to be up and idle, and that is said', async () => {
    const compared = await replayed(`${POOL}${worker('c')}${worker('d')}`)
    expect(compared).toMatchObject({ before: 'b', after: 'd', cause: 'workers', assumed: ['newcomer'] })
  })

  test('one that came for another model is none', async () => {
    const other = '  - {id: c, url: "http://c", models: [n]}\n'
    expect(await replayed(`${POOL}${other}`)).toMatchObject({ verdict: 'same', assumed: [] })
  })

  test('one that came and says itself what it serves is not known', async () => {
    const compared = await replayed(`${POOL}  - {id: c, url: "http://c"}\n`)
    expect(compared).toMatchObject({ verdict: 'not_comparable', cause: 'workers', why: expect.stringContaining('`c`') })
  })

  test('models that workers said themselves are those of the view document', async () => {
    const learned = 'workers:\n  - {id: a, url: "http://a"}\n  - {id: b, url: "http://b"}\n'
    const options = { now: { a: { models: new Set(['n']) }, b: { models: new Set(['m']) } } }
    const compared = await replayed(`${learned}policy: least_load\n`, options, learned)
    expect(compared).toMatchObject({ before: 'b', verdict: 'same', assumed: [] })
  })

  test('and without the document, what the vetoes of the record tell', async () => {
    const learned = 'workers:\n  - {id: a, url: "http://a"}\n  - {id: b, url: "http://b"}\n'
    const options = { now: { a: { models: new Set(['n']) }, b: { models: new Set(['m']) } } }
    const { record } = recordUnder(await configOf(learned), options)
    const compared = comparedUnder(await configOf(`${learned}policy: random\n`), { record, document: null })
    expect(compared).toMatchObject({ before: 'b', verdict: 'same' })
  })

  test('nobody that may be chosen', async () => {
    const options = { now: { b: { availability: 'down' } } } as const
    const compared = await replayed(`workers:\n${worker('b')}`, options)
    expect(compared).toMatchObject({ before: 'a', after: null, verdict: 'newly_refused', cause: 'workers' })
  })
})

describe('health settings', () => {
  const ejected = { now: { a: { availability: 'ejected' }, b: { availability: 'ejected' } } } as const
  const patient = `${POOL}health_check: {panic_threshold: 1}\n`

  test('decide who is let back in', async () => {
    const options = { ...ejected, input: { ticket: 3 } }
    expect(await replayed(POOL, options, patient)).toMatchObject({ verdict: 'newly_served', after: 'b' })
  })
})

describe('policies', () => {
  test('another one', async () => {
    const options = { now: { b: { inFlightHere: 9 } } }
    const compared = await replayed(`${POOL}policy: least_load\n`, options)
    expect(compared).toMatchObject({ before: 'b', after: 'a', cause: 'policy', assumed: [] })
  })

  test('one that asks for turns which nobody took', async () => {
    const compared = await replayed(`${POOL}policy: round_robin\n`, {}, `${POOL}policy: least_load\n`)
    expect(compared.assumed).toEqual(['turn'])
  })

  test('one with headers of its own', async () => {
    const compared = await replayed(`${POOL}policy: {type: consistent_hash, hash_headers: [x-team]}\n`)
    expect(compared).toMatchObject({ verdict: 'not_comparable', cause: 'missing_fact' })
  })
})

describe('what a record lacks', () => {
  test.each([
    ['its seed', { seed: undefined }, /seed/],
    ['its view', { view: undefined }, /candidates/],
  ])('%s', async (_, given, why) => {
    const compared = await replayed(`${POOL}policy: random\n`, { given })
    expect(compared).toMatchObject({
      verdict: 'not_comparable',
      cause: 'missing_fact',
      why: expect.stringMatching(why),
    })
  })
})
