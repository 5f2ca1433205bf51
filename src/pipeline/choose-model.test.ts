// What the rules make of a request before any worker is asked: the name in the body, the one in the record, and whom a
// chain takes for available.

import { describe, expect, test } from 'vitest'
import { inProcessRouter, type UpstreamCall } from '../../test/support/in-process-router.ts'
import { findAffinity } from '../routing/affinity.ts'
import { drawSplit, splitSeed } from '../routing/model-rules.ts'

const ONE = 'workers: [{id: a, url: "http://a", models: [m]}]\n'
const TWO = 'workers: [{id: a, url: "http://a", models: [m]}, {id: b, url: "http://b", models: [n]}]\n'
const OFF = 'retry: {max_retries: 0}\n'

type Respond = (call: UpstreamCall) => Promise<Response>

async function routed(yaml: string, respond: Respond = async () => Response.json({})) {
  const sent: { worker: string; body: string }[] = []
  const { chat, records } = await inProcessRouter(yaml, (call) => {
    sent.push({ worker: call.worker, body: new TextDecoder().decode(call.body as Uint8Array) })
    return respond(call)
  })
  return {
    sent,
    records,
    chat: async (body: object, headers: Readonly<Record<string, string>> = {}) => {
      return (await chat({ ...body }, { headers })).response
    },
  }
}

describe('a body that names no model', () => {
  test.each([
    ['the only model', ONE, '{"x":1}'],
    ['the only model by default', `${ONE}default_model: m\n`, '{"x":1}'],
    ['the only model by an alias', `${ONE}default_model: z\nmodel_rules: [{match: z, rewrite: m}]\n`, '{"x":1}'],
    ['one of two by default', `${TWO}default_model: m\n`, '{"model":"m","x":1}'],
    [
      'one of two by an alias',
      `${TWO}default_model: z\nmodel_rules: [{match: z, rewrite: m}]\n`,
      '{"model":"m","x":1}',
    ],
  ])('goes to %s as it must', async (_, yaml, expected) => {
    const { chat, sent } = await routed(yaml)
    expect((await chat({ x: 1 })).status).toBe(200)
    expect(sent).toEqual([{ worker: 'a', body: expected }])
  })
})

test('the record has the name asked for, the target and the rule', async () => {
  const { chat, records } = await routed(`${TWO}model_rules: [{match: "z*", fallback: [x, n]}]\n`)
  const { headers } = await chat({ model: 'zed' })
  expect(headers.get('x-vllm-router-model')).toBe('n')
  expect(records()).toMatchObject([{ original_model: 'zed', model: 'n', rule: 'z*', worker: 'b' }])
})

test('no rule, no field', async () => {
  const { chat, records } = await routed(`${TWO}model_rules: [{match: z, rewrite: m}]\n`)
  await chat({ model: 'n' })
  expect(records()[0]).not.toHaveProperty('rule')
})

describe('a chain', () => {
  const fails: Respond = async ({ worker }) => {
    if (worker === 'a') throw Object.assign(new Error('refused'), { phase: 'not_sent' })
    return Response.json({})
  }

  const told = ({ headers }: Response) => ['model', 'attempts'].map((name) => headers.get(`x-vllm-router-${name}`))

  test('prefers a model whose workers have not failed lately', async () => {
    const { chat } = await routed(`${TWO}${OFF}model_rules: [{match: z, fallback: [m, n]}]\n`, fails)
    expect(told(await chat({ model: 'z' }))).toEqual(['m', '1'])
    expect(told(await chat({ model: 'z' }))).toEqual(['n', '1'])
  })

  test('asks those that have, when nobody else is left', async () => {
    const { chat } = await routed(`${TWO}${OFF}model_rules: [{match: z, fallback: [m, x]}]\n`, fails)
    for (let turn = 0; turn < 2; turn += 1) expect(told(await chat({ model: 'z' }))).toEqual(['m', '1'])
  })
})

describe('a split', () => {
  const split = `${TWO}${OFF}model_rules: [{match: "s*", weights: {m: 1, n: 3, ghost: 9}}]\n`

  test('is in the record: the weights it was drawn from and the key of the session', async () => {
    const { chat, records } = await routed(split)
    await chat({ model: 'sx', user: 'ann' })
    const { hash } = findAffinity({ header: () => null, body: { user: 'ann' } }) ?? {}
    expect(records()[0]).toMatchObject({
      rule: 's*',
      split: { weights: { m: 1, n: 3 }, affinity: { source: 'body:user', hash } },
    })
    expect(records()[0]?.split?.weights).not.toHaveProperty('ghost')
    // The same session as that of the decision, where it has a field of its own.
    expect(records()[0]?.session_id).toBe(records()[0]?.split?.affinity?.hash)
  })

  test('without a session has no key', async () => {
    const { chat, records } = await routed(split)
    await chat({ model: 'sx' })
    expect(records()[0]?.split).toEqual({ weights: { m: 1, n: 3 } })
  })

  test('has a key of its own where the policy goes by another header', async () => {
    const policy = 'policy: {type: consistent_hash, hash_headers: [x-team]}\n'
    const { chat, records } = await routed(`${split}${policy}`)
    await chat({ model: 'sx', user: 'ann' }, { 'x-team': 'search' })
    expect(records()[0]).toMatchObject({
      affinity: { source: 'header:x-team' },
      split: { affinity: { source: 'body:user' } },
    })
  })

  test('can be drawn again from the record alone', async () => {
    const { chat, records } = await routed(split)
    for (let turn = 0; turn < 60; turn += 1) await chat({ model: 'sx', ...(turn % 2 ? { user: `user-${turn}` } : {}) })
    for (const { rule, split: recorded, decision_id: decisionId, model } of records()) {
      const shares = Object.entries(recorded?.weights ?? {}).map(([name, weight]) => ({ model: name, weight }))
      const drawn = drawSplit(rule ?? '', { shares, session: recorded?.affinity ?? null }, splitSeed(decisionId))
      expect(drawn[0]).toBe(model)
    }
    expect(new Set(records().map(({ model }) => model))).toEqual(new Set(['m', 'n']))
  })

  test.each([
    ['another kind of rule', 'model_rules: [{match: sx, fallback: [m, n]}]\n'],
    ['a split that has nobody', 'model_rules: [{match: sx, weights: {ghost: 1}}]\n'],
  ])('is not in the record of %s', async (_, rules) => {
    const { chat, records } = await routed(`${TWO}${rules}`)
    await chat({ model: 'sx', user: 'ann' })
    expect(records()[0]).toMatchObject({ rule: 'sx' })
    expect(records()[0]).not.toHaveProperty('split')
  })
})

test('a name that nobody serves is 404 without a rule, 503 with one', async () => {
  const { chat } = await routed(`${TWO}model_rules: [{match: z, rewrite: x}]\n`)
  expect((await chat({ model: 'x' })).status).toBe(404)
  const ruled = await chat({ model: 'z' })
  expect([ruled.status, ruled.headers.get('retry-after')]).toEqual([503, '2'])
})
