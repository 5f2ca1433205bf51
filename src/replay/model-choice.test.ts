// What another configuration makes of the name that was asked for, from a record alone.

import { describe, expect, test } from 'vitest'
import { configOf } from '../../test/support/decided-log.ts'
import { comparedUnder, type RecordOptions, recordUnder } from '../../test/support/replayed-record.ts'

const POOL = `
workers:
  - {id: a, url: "http://a", models: [m]}
  - {id: b, url: "http://b", models: [n]}
`
const TENANTS = (allowed: string) => `api_keys: [{key: key-of-team-0123, name: team, allowed_models: ${allowed}}]\n`

async function replayed(before: string, after: string, options: RecordOptions) {
  const recorded = recordUnder(await configOf(POOL + before), options)
  return comparedUnder(await configOf(POOL + after), recorded)
}

const asked = (original_model: string, given: object = {}): RecordOptions => ({ given: { original_model, ...given } })

describe('rules', () => {
  test.each([
    ['none', '', 'm', 'a'],
    ['a rewrite', 'model_rules: [{match: m, rewrite: n}]\n', 'm', 'b'],
    ['one for other names', 'model_rules: [{match: other, rewrite: n}]\n', 'm', 'a'],
    ['a chain', 'model_rules: [{match: "m*", fallback: [gone, n, m]}]\n', 'm', 'b'],
    ['one for another tenant', 'model_rules: [{match: m, rewrite: n, when: {tenant: team}}]\n', 'm', 'a'],
  ])('%s', async (_, rules, name, worker) => {
    const compared = await replayed('', rules, asked(name))
    expect(compared).toMatchObject({ before: 'a', after: worker, cause: worker === 'a' ? null : 'rule' })
  })

  test('a chain goes by who was up then', async () => {
    const options = { ...asked('m'), now: { b: { availability: 'draining' } } } as const
    const rules = 'model_rules: [{match: m, fallback: [n, m]}]\n'
    expect(await replayed('', rules, options)).toMatchObject({ verdict: 'same' })
  })

  test('a rule that asks for a header can not be judged', async () => {
    const rules = 'model_rules: [{match: m, rewrite: n, when: {header: {x-canary: "1"}}}]\n'
    const compared = await replayed('', rules, asked('m'))
    expect(compared).toMatchObject({
      verdict: 'not_comparable',
      cause: 'rule',
      why: expect.stringContaining('`x-canary`'),
    })
  })

  test('a rule that leads to nobody refuses', async () => {
    const compared = await replayed('', 'model_rules: [{match: m, rewrite: gone}]\n', asked('m'))
    expect(compared).toMatchObject({ verdict: 'newly_refused', cause: 'rule' })
  })

  test('a name that only a rule made good is refused without it', async () => {
    const compared = await replayed('model_rules: [{match: z, rewrite: m}]\n', '', asked('z', { rule: 'z' }))
    expect(compared).toMatchObject({ verdict: 'newly_refused', cause: 'rule' })
  })

  test('a retry stays at the model of the chain that it had come to', async () => {
    const rules = 'model_rules: [{match: z, fallback: [m, n], on_failure: true}]\n'
    const options = { ...asked('z', { rule: 'z' }), input: { model: 'n', tried: ['a'] } }
    expect(await replayed(rules, `${rules}shutdown_grace_secs: 9\n`, options)).toMatchObject({ verdict: 'same' })
  })
})

describe('a split', () => {
  const split = 'model_rules: [{match: z, weights: {m: 1, n: 1}}]\n'
  const key = { source: 'body:user', hash: '00000000000000aa' }

  test('is drawn by the session that was recorded, whatever the policy went by', async () => {
    const drawn = async (affinity: typeof key) =>
      (await replayed('', split, { ...asked('z'), input: { affinity } })).after
    const hashes = Array.from({ length: 40 }, (_, n) => n.toString(16).padStart(16, '0'))
    const workers = await Promise.all(hashes.map((hash) => drawn({ ...key, hash })))
    expect(new Set(workers)).toEqual(new Set(['a', 'b']))
    expect(await drawn({ ...key, hash: hashes[5] ?? '' })).toBe(workers[5])
  })

  test('is drawn among the models that the record says were to be had', async () => {
    const given = { rule: 'z', split: { weights: { n: 1 }, affinity: key } }
    const options = { ...asked('z', given), input: { model: 'n' }, now: { a: { availability: 'down' } } } as const
    expect(await replayed(split, `${split}shutdown_grace_secs: 9\n`, options)).toMatchObject({ verdict: 'same' })
  })

  test('can not be drawn again where the key came from headers of a policy', async () => {
    const options = { ...asked('z'), input: { affinity: { source: 'header:x-team', hash: key.hash } } }
    expect(await replayed('', split, options)).toMatchObject({ verdict: 'not_comparable', cause: 'rule' })
  })
})

describe('what a caller may use', () => {
  test.each([
    ['all', '["*"]', 'same', null],
    ['the model', '[m]', 'same', null],
    ['another', '[n]', 'newly_refused', 'model_access'],
  ])('%s', async (_, allowed, verdict, cause) => {
    const compared = await replayed('', TENANTS(allowed), asked('m', { tenant: 'team' }))
    expect(compared).toMatchObject({ verdict, cause })
  })

  test('none of the models that a rule leads to', async () => {
    const rules = `${TENANTS('[m]')}model_rules: [{match: m, rewrite: n}]\n`
    expect(await replayed('', rules, asked('m', { tenant: 'team' }))).toMatchObject({ cause: 'model_access' })
  })

  test('a tenant that is not there any more is not comparable', async () => {
    const compared = await replayed('', 'shutdown_grace_secs: 9\n', asked('m', { tenant: 'gone' }))
    expect(compared).toMatchObject({
      verdict: 'not_comparable',
      cause: 'model_access',
      why: expect.stringContaining('`gone`'),
    })
  })

  test('a route without models wants them all', async () => {
    const options = { input: { model: null }, given: { tenant: 'team', original_model: undefined } }
    expect(await replayed('', TENANTS('[m]'), options)).toMatchObject({
      verdict: 'newly_refused',
      cause: 'model_access',
    })
    expect(await replayed('', TENANTS('["*"]'), options)).toMatchObject({ verdict: 'same' })
  })
})

describe('a request that named no model', () => {
  test('goes to the default, or to the only one', async () => {
    const options: RecordOptions = { given: { original_model: undefined } }
    expect(await replayed('', 'default_model: n\n', options)).toMatchObject({ after: 'b', cause: 'rule' })
    expect(await replayed('', 'shutdown_grace_secs: 9\n', options)).toMatchObject({ verdict: 'newly_refused' })
  })
})

describe('a hook that changed the request', () => {
  const ran = { hooks_ran: ['guard', 'router:transformed'] }

  test('leaves the name that it was routed under', async () => {
    const rules = 'model_rules: [{match: m, rewrite: n}]\n'
    expect(await replayed('', rules, asked('other', ran))).toMatchObject({ after: 'b' })
  })

  test('and the one that a rule without a star took', async () => {
    const compared = await replayed('', 'model_rules: [{match: z, rewrite: m}]\n', asked('x', { ...ran, rule: 'z' }))
    expect(compared).toMatchObject({ verdict: 'same' })
  })

  test('but nobody knows the name that one with a star took', async () => {
    const compared = await replayed('', 'default_model: n\n', asked('x', { ...ran, rule: 'z*' }))
    expect(compared).toMatchObject({
      verdict: 'not_comparable',
      cause: 'hook',
      why: expect.stringContaining('`router`'),
    })
  })
})
