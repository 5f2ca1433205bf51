// What the rules make of a request before any worker is asked: the name in the body, the one in the record, and whom a
// chain takes for available.

import { describe, expect, test } from 'vitest'
import { inProcessRouter, type UpstreamCall } from '../../test/support/in-process-router.ts'

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
  return { sent, records, chat: async (body: object) => (await chat({ ...body })).response }
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

test('a name that nobody serves is 404 without a rule, 503 with one', async () => {
  const { chat } = await routed(`${TWO}model_rules: [{match: z, rewrite: x}]\n`)
  expect((await chat({ model: 'x' })).status).toBe(404)
  const ruled = await chat({ model: 'z' })
  expect([ruled.status, ruled.headers.get('retry-after')]).toEqual([503, '2'])
})
