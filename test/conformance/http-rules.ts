// Model rules over HTTP: the worker gets the target's name in a body that is otherwise the caller's, and everything that
// explains the answer says so. The simulator refuses names it does not serve, as vLLM does.

import { createHash } from 'node:crypto'
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES } from '../../src/routes/catalogue.ts'
import { chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { freePort, type RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { explainedConformance } from './http-explained.ts'
import {
  ruleChoices,
  ruledModelLists,
  ruleFailures,
  type RulesFleet,
  rulesPoster,
  type RulesWorker,
} from './http-rule-choices.ts'

const CHAT = '/v1/chat/completions'

const RULES: readonly object[] = [
  { match: '*', when: { header: { 'X-Tier': 'free' } }, rewrite: 'second' },
  { match: 'gpt-4o', rewrite: 'org/big' },
  { match: 'openai/*', rewrite: 'org/big' },
  { match: 'chain', fallback: ['ghost', 'first', 'second'] },
  { match: 'split', weights: { blue: 1, green: 1, ghost: 8 } },
  { match: 'to-nobody', rewrite: 'nobody' },
  { match: 'to-ghost', rewrite: 'ghost' },
  { match: 'exhausted', fallback: ['ghost', 'nobody'] },
  { match: 'exhaus*', rewrite: 'org/big' },
  { match: 'rescued', fallback: ['dying', 'second'], on_failure: true },
]

export function rulesConformance(runtime: RuntimeName): void {
  describe(`model rules on ${runtime}`, () => {
    const fleet = liveFleet<RulesWorker>(runtime, {
      workers: {
        big: { models: ['org/big'] },
        first: { models: ['first'] },
        second: { models: ['second'] },
        pair: { models: ['blue', 'green'] },
        dying: { models: ['dying'] },
      },
      config: async (urls) => ({
        workers: [
          ...Object.entries(urls).map(([id, url]) => ({ id, url })),
          { id: 'ghost', url: `http://127.0.0.1:${await freePort()}`, models: ['ghost'] },
        ],
        model_refresh_secs: 1,
        default_model: 'gpt-4o',
        model_rules: RULES,
      }),
    })
    aliases(fleet, runtime)
    bodies(fleet, runtime)
    ruleChoices(fleet, runtime)
    ruledModelLists(fleet)
    ruleFailures(fleet, runtime)
  })
  explainedConformance(runtime)
}

function aliases(fleet: RulesFleet, runtime: RuntimeName): void {
  const post = rulesPoster(fleet)
  const messages = [{ role: 'user' as const, content: 'hello' }]
  const client = () => new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey: 'none', maxRetries: 0, logLevel: 'off' })

  test('without a rule the worker refuses the name, so the router does', async () => {
    expectRefusal(await post(chatBody('gpt-4')), 'model_not_found')
    const direct = await postJson(fleet.worker('big').url + CHAT, chatBody('gpt-4o'))
    expect(direct.status).toBe(404)
  })

  test('an alias works through the openai client; the answer names the model that the worker named', async () => {
    const { data, response } = await client().chat.completions.create({ model: 'gpt-4o', messages }).withResponse()
    expect(data.choices[0]?.message.content).not.toBe('')
    expect(data.model).toBe('org/big')
    expect(response.headers.get('x-vllm-router-model')).toBe('org/big')
    expect(response.headers.get('x-vllm-router-worker')).toBe('big')
  })

  test('and as a stream: the same words', async () => {
    const whole = await client().chat.completions.create({ model: 'gpt-4o', messages })
    const stream = await client().chat.completions.create({ model: 'openai/gpt-5', messages, stream: true })
    let streamed = ''
    for await (const part of stream) {
      expect(part.model).toBe('org/big')
      streamed += part.choices[0]?.delta.content ?? ''
    }
    expect(streamed).toBe(whole.choices[0]?.message.content)
  })

  test.each(INFERENCE_ROUTES.filter(({ body }) => body === 'json'))('$path sends the target', async ({ path }) => {
    const id = `${runtime}-target-${path.replaceAll('/', '-')}`
    const { headers } = await post({ ...chatBody('gpt-4o'), input: 'x' }, { 'x-request-id': id }, path)
    expect(headers.get('x-vllm-router-model')).toBe('org/big')
    expect(JSON.parse(fleet.call(id).body).model).toBe('org/big')
  })

  test('the record has the name asked for, the target and the rule', async () => {
    const id = `${runtime}-recorded`
    await post(chatBody('openai/gpt-5'), { 'x-request-id': id })
    const record = await fleet.router.record((each) => each['request_id'] === id)
    expect(record).toMatchObject({ original_model: 'openai/gpt-5', model: 'org/big', rule: 'openai/*', worker: 'big' })
  })
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function bodies(fleet: RulesFleet, runtime: RuntimeName): void {
  const post = rulesPoster(fleet)
  const rest =
    '"messages":[{"role":"user","content":"\\u00e9 \\"model\\": \\"gpt-4o\\" 漢"}],\n  "x":1.0, "y":12345678901234567890,"x":1e2'

  test.each([
    ['first', `{"model":"gpt-4o",${rest}}`, `{"model":"org/big",${rest}}`],
    ['last, with space around', ` {\t${rest} , "model" : "gpt-4o" }\n`, ` {\t${rest} , "model" : "org/big" }\n`],
    ['after a byte order mark', `\ufeff{${rest},"model":"gpt-4o"}`, `\ufeff{${rest},"model":"org/big"}`],
    ['null', `{${rest},"model":null}`, `{${rest},"model":"org/big"}`],
    ['absent, where default_model is an alias', `{${rest}}`, `{"model":"org/big",${rest}}`],
    ['no alias', `{${rest},"model":"org/big"}`, `{${rest},"model":"org/big"}`],
  ])('nothing else of a body changes: the model is %s', async (name, sent, expected) => {
    const id = `${runtime}-body-${name.replaceAll(/\W/g, '-')}`
    const answer = await post(sent, { 'x-request-id': id })
    expect(answer.status, answer.text).toBe(200)
    expect(fleet.call(id)).toMatchObject({ body: expected, sha256: sha256(expected) })
  })

  test('nor of a form', async () => {
    const id = `${runtime}-form`
    const disposition = 'Content-Disposition: form-data; name='
    const model = ['--b', `${disposition}"model"`, '', 'gpt-4o']
    const file = ['--b', `${disposition}"file"; filename="gpt-4o.wav"`, '', 'gpt-4o\0RIFF']
    const form = [...model, ...file, '--b--', ''].join('\r\n')
    const headers = { 'content-type': 'multipart/form-data; boundary=b', 'x-request-id': id }
    const { headers: explained } = await post(form, headers, '/v1/audio/transcriptions')
    expect(explained.get('x-vllm-router-model')).toBe('org/big')
    expect(fleet.call(id).sha256).toBe(sha256(form.replace('\r\ngpt-4o\r\n', '\r\norg/big\r\n')))
  })
}
