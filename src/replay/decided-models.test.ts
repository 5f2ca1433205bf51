// Decisions made again from the signals that a record has, and left open where it has not what they ask for.

import { describe, expect, test } from 'vitest'
import { configOf } from '../../test/support/decided-log.ts'
import { comparedUnder, recordUnder } from '../../test/support/replayed-record.ts'

const POOL = `
workers:
  - {id: a, url: "http://a", models: [m]}
  - {id: b, url: "http://b", models: [n]}
signals:
  keywords: [{name: k, keywords: [one]}, {name: l, keywords: [two]}]
  context: [{name: c, min_tokens: 1K}]
`
const rule = (name: string, type: string, signal: string, model: string, priority: number) =>
  `{name: ${name}, priority: ${priority}, rules: {type: ${type}, name: ${signal}}, modelRefs: [{model: ${model}}]}`
const decisions = (...rules: string[]) => `decisions: [${rules.join(', ')}]\n`

const BEFORE = decisions(rule('first', 'keyword', 'k', 'm', 5), rule('second', 'keyword', 'l', 'n', 1))

/** A request that `k` took to `m`, and so to worker `a`. */
async function compared(after: string, { name = 'auto', pool = POOL, readings = {}, more = {} } = {}) {
  const before = await configOf(POOL + BEFORE)
  const { digests } = before.signals
  const given = {
    original_model: name,
    decision: 'first',
    signal_readings: {
      'keyword:k': { is: 'matched', rule: digests['keyword:k'], because: '"one"' },
      'keyword:l': { is: 'not_matched', rule: digests['keyword:l'], because: 'none' },
      ...readings,
    },
    ...more,
  } as const
  return comparedUnder(await configOf(pool + after), recordUnder(before, { given }))
}

describe('the signals of the record suffice', () => {
  test.each([
    ['the same decision, at another place', decisions(rule('x', 'keyword', 'k', 'm', 1)), 'a'],
    ['another model', decisions(rule('x', 'keyword', 'k', 'n', 1)), 'b'],
    [
      'the other way round',
      decisions(`{name: x, rules: {operator: NOT, conditions: [{type: keyword, name: l}]}, modelRefs: [{model: n}]}`),
      'b',
    ],
    ['a default', `default_model: n\n${decisions(rule('x', 'keyword', 'l', 'm', 1))}`, 'b'],
    ['the next model, as the first has nobody', decisions('{name: x, modelRefs: [{model: gone}, {model: n}]}'), 'b'],
    [
      'what is missing comes after what is sure',
      decisions(rule('x', 'keyword', 'k', 'n', 9), rule('y', 'context', 'c', 'm', 1)),
      'b',
    ],
  ])('%s', async (_what, after, worker) => {
    expect(await compared(after)).toMatchObject({ before: 'a', after: worker })
  })

  test('nothing decides on a name of its own', async () => {
    const after = `decide_on: auto\n${decisions(rule('x', 'keyword', 'k', 'n', 1))}`
    expect(await compared(after, { name: 'm' })).toMatchObject({ verdict: 'same' })
  })

  test('a name that nobody decides on any more is refused', async () => {
    expect(await compared('')).toMatchObject({ verdict: 'newly_refused' })
  })
})

describe('they do not', () => {
  test.each([
    [
      'one that nobody asked for',
      decisions(rule('x', 'context', 'c', 'n', 9), rule('y', 'keyword', 'k', 'm', 1)),
      POOL,
    ],
    [
      'one that asks for something else by now',
      decisions(rule('x', 'keyword', 'k', 'n', 1)),
      POOL.replace('[one]', '[uno]'),
    ],
  ])('%s', async (_what, after, pool) => {
    const found = await compared(after, { pool })
    expect(found).toMatchObject({ verdict: 'not_comparable', cause: 'missing_fact' })
    expect(found).toMatchObject({
      why: expect.stringMatching(/decision `x` asks for the signal `(context:c|keyword:k)`/),
    })
  })

  test('a hook that changed the request may have changed its name', async () => {
    const found = await compared(decisions(rule('x', 'keyword', 'k', 'n', 1)), {
      more: { hooks_ran: ['guard', 'mask:transformed'] },
    })
    expect(found).toMatchObject({
      verdict: 'not_comparable',
      cause: 'hook',
      why: expect.stringMatching(/hook `mask` changed the request, and the name it gave to the decisions/),
    })
  })

  test('what was unknown then is unknown now', async () => {
    const before = await configOf(POOL + BEFORE)
    const readings = {
      'context:c': { is: 'unknown', rule: before.signals.digests['context:c'], because: 'timeout' },
    }
    const after = decisions(rule('x', 'context', 'c', 'n', 9), rule('y', 'keyword', 'k', 'm', 1))
    expect(await compared(after, { readings })).toMatchObject({ verdict: 'same' })
  })
})

test('under its own configuration the model stays what it was, whatever its signals say', async () => {
  expect(
    await compared(BEFORE, { readings: { 'keyword:k': { is: 'not_matched', because: 'changed' } } }),
  ).toMatchObject({
    verdict: 'same',
  })
})
