// Which models a tenant may use, on every route: asked for by name, by alias, by chain, and by no name at all (B59, B60).

import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES, type InferenceRoute } from '../../src/routes/catalogue.ts'
import { type Answered, ask, expectAnthropicRefusal, expectRefusal } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { bearer, type CallerFleet, type CallerName, chatAs, getAs } from './caller-fleet.ts'

/** Everything any route wants; workers, like vLLM, take no notice of what they don't know. */
const ANY_BODY = {
  messages: [{ role: 'user', content: 'hi' }],
  prompt: 'hi',
  input: 'hi',
  query: 'a',
  documents: ['a', 'b'],
  text_1: 'a',
  text_2: 'b',
  tokens: [1, 2],
  max_tokens: 2,
}

interface Case {
  readonly caller: CallerName
  readonly model: string | null
  /** The worker that is reached; null for a refusal. */
  readonly reaches: 'alpha' | 'beta' | null
}

const CASES: readonly Case[] = [
  { caller: 'narrow', model: 'alpha', reaches: 'alpha' },
  { caller: 'narrow', model: 'beta', reaches: null },
  { caller: 'narrow', model: 'nowhere', reaches: null },
  { caller: 'narrow', model: 'alias', reaches: 'alpha' },
  { caller: 'narrow', model: 'to-beta', reaches: null },
  { caller: 'narrow', model: 'chain', reaches: 'alpha' },
  { caller: 'narrow', model: 'dead-end', reaches: null },
  { caller: 'narrow', model: null, reaches: 'alpha' },
  { caller: 'blind', model: null, reaches: null },
  { caller: 'blind', model: 'beta', reaches: 'beta' },
  { caller: 'blind', model: 'alias', reaches: null },
  { caller: 'search', model: 'chain', reaches: 'beta' },
  { caller: 'inbound', model: 'to-beta', reaches: 'beta' },
]

const TABLE = INFERENCE_ROUTES.flatMap((route) => CASES.map((each) => ({ route, path: route.path, ...each })))

export function callerModels(fleet: CallerFleet, runtime: RuntimeName): void {
  describe('models', () => {
    test.each(TABLE)(
      '$path: $caller asks for $model and reaches $reaches',
      async ({ route, caller, model, reaches }) => {
        const id = `${runtime}-acl-${TABLE.findIndex((each) => each.route === route && each.caller === caller && each.model === model)}`
        const answer = await askFor(fleet, route, { caller, model, id })
        const reached = fleet.calls().filter(({ headers }) => headers['x-request-id'] === id)
        if (reaches !== null) {
          expect([answer.status, answer.headers.get('x-vllm-router-worker')]).toEqual([200, reaches])
          expect(reached).toHaveLength(1)
          return
        }
        expect(reached).toEqual([])
        if (route.dialect === 'anthropic') expectAnthropicRefusal(answer, 'model_not_allowed', 'permission_error')
        else expectRefusal(answer, 'model_not_allowed')
        if (model !== null) expect(answer.text).toContain(`\`${model}\``)
      },
    )

    namesAsTheyAre(fleet)
    pathsWithoutModels(fleet)
    lists(fleet)
    lateNames(fleet)
    formsInTwoWays(fleet)
  })
}

interface Asked {
  readonly caller: CallerName
  readonly model: string | null
  readonly id: string
}

function askFor(fleet: CallerFleet, route: InferenceRoute, { caller, model, id }: Asked): Promise<Answered> {
  const headers = { ...bearer(caller), 'x-request-id': id }
  if (route.body === 'json') {
    const body = JSON.stringify({ ...ANY_BODY, ...(model === null ? {} : { model }) })
    return ask(fleet.url + route.path, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
    })
  }
  const form = new FormData()
  if (model !== null) form.set('model', model)
  form.set('file', new Blob(['not really sound']), 'a.wav')
  return ask(fleet.url + route.path, { method: 'POST', headers, body: form })
}

function namesAsTheyAre(fleet: CallerFleet): void {
  const forbidden = ['Alpha', 'ALPHA', 'alpha ', ' alpha', 'alpha\u00a0', 'alpha\u200b', '\u0430lpha', 'alpha/', 'alph']
  const others = [
    'pre',
    'Pre/one',
    'pre\u2215one',
    'cafe',
    'caf\u00e8',
    '*',
    'alpha*',
    'constructor',
    '__proto__',
    'beta@0',
  ]
  test.each([...forbidden, ...others])('%j is not a name it may use', async (model) => {
    expectRefusal(await chatAs(fleet, bearer('narrow'), model), 'model_not_allowed')
  })

  test('two spellings of one name are one to the check; the worker knows what it knows', async () => {
    expect((await chatAs(fleet, bearer('narrow'), 'caf\u00e9')).status).toBe(200)
    expectRefusal(await chatAs(fleet, bearer('narrow'), 'cafe\u0301'), 'model_not_found')
  })

  test('a beginning with a star is enough', async () => {
    expect((await chatAs(fleet, bearer('narrow'), 'pre/one')).status).toBe(200)
    expectRefusal(await chatAs(fleet, bearer('narrow'), 'pre/two'), 'model_not_found')
  })

  test('the refusal is in the record, and nothing of a worker is', async () => {
    const answer = await chatAs(fleet, { ...bearer('narrow'), 'x-request-id': 'forbidden-1' }, 'beta')
    expect(answer.headers.get('x-vllm-router-method')).toBe('rejected')
    const record = await fleet.router.record(({ request_id: of }) => of === 'forbidden-1')
    expect(record).toMatchObject({
      tenant: 'narrow',
      original_model: 'beta',
      status: 403,
      error: 'model_not_allowed',
      attempts: [],
    })
  })
}

function pathsWithoutModels(fleet: CallerFleet): void {
  test('a path without models is for callers that may use all of them', async () => {
    for (const method of ['GET', 'POST']) {
      const visit = (caller: CallerName) => ask(`${fleet.url}/metrics`, { method, headers: bearer(caller) })
      expectRefusal(await visit('narrow'), 'model_not_allowed')
      expectRefusal(await visit('blind'), 'model_not_allowed')
    }
    expect((await getAs(fleet, 'search', '/metrics')).status).toBe(200)
    expect((await getAs(fleet, 'inbound', '/metrics')).status).toBe(200)
  })
}

function lists(fleet: CallerFleet): void {
  const ids = async (caller: CallerName) =>
    (await getAs(fleet, caller, '/v1/models')).json().data.map(({ id }: { id: string }) => id)

  test('a tenant is shown the models it may use, and what stands behind their names', async () => {
    expect(await ids('narrow')).toEqual(['alpha', 'caf\u00e9', 'pre/one', 'alias', 'chain'])
    expect(await ids('blind')).toEqual(['beta'])
    const all = ['alpha', 'caf\u00e9', 'pre/one', 'beta', 'gamma', 'alias', 'to-beta', 'chain', 'dead-end']
    expect(await ids('inbound')).toEqual(all)
    expect(await ids('search')).toEqual([...all.slice(0, 5), 'for-search', ...all.slice(5)])
    expect((await getAs(fleet, 'narrow', '/v1/models/chain')).json()).toMatchObject({ root: 'alpha' })
    expect((await getAs(fleet, 'search', '/v1/models/chain')).json()).toMatchObject({ root: 'beta' })
  })

  test('what it may not use does not exist for it', async () => {
    for (const id of ['beta', 'gamma', 'to-beta', 'dead-end', 'for-search', 'nowhere']) {
      expectRefusal(await getAs(fleet, 'narrow', `/v1/models/${id}`), 'model_not_found')
    }
    expect((await getAs(fleet, 'blind', '/v1/models/beta')).status).toBe(200)
  })
}

function lateNames(fleet: CallerFleet): void {
  /** A form whose model comes after more than what is held of it. */
  const late = (caller: CallerName, model: string) => {
    const form = new FormData()
    form.set('file', new Blob([new Uint8Array(3 * 1024 * 1024)]), 'long.wav')
    form.set('model', model)
    return ask(`${fleet.url}/v1/audio/transcriptions`, { method: 'POST', headers: bearer(caller), body: form })
  }

  test('a name that comes late in a form opens nothing', async () => {
    // Routed to the default by then, and checked for that.
    expectRefusal(await late('blind', 'beta'), 'model_not_allowed')
    expect((await late('narrow', 'beta')).status).toBe(400)
    expect((await late('narrow', 'alpha')).status).toBe(200)
  })
}

/** Forms that vLLM's parser reads as ones for `beta`, though they name `alpha` as well: seen with Starlette 1.10. */
const IN_TWO_WAYS: readonly (readonly [string, string, (alpha: string, beta: string) => string])[] = [
  ['a charset', 'boundary=b; charset=utf-7', (alpha, beta) => alpha + beta.replace('model', '+AG0AbwBkAGUAbA-')],
  ['two boundaries', 'boundary=c; boundary=b', (alpha, beta) => `${alpha.replaceAll('--b', '--c')}--c--\r\n${beta}`],
  ['an end to none but us', 'boundary=b', (alpha, beta) => `${alpha}${promptPart('x\n--b--\n')}${beta}`],
  ['an end where a text begins', 'boundary=b', (alpha, beta) => `${alpha}${promptPart('--b--\r\n')}${beta}`],
  ['an encoded name', 'boundary=b', (alpha, beta) => alpha + beta.replace('name="model"', "name*=utf-8''model")],
  ['a name once more', 'boundary=b', (alpha, beta) => alpha + beta],
]

const formPart = (name: string, value: string) =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
const promptPart = (value: string) => formPart('prompt', value)

function formsInTwoWays(fleet: CallerFleet): void {
  test.each(IN_TWO_WAYS)('a form that could be read in two ways opens nothing: %s', async (_, type, write) => {
    const before = fleet.calls().length
    for (const route of INFERENCE_ROUTES.filter(({ body }) => body === 'multipart')) {
      const answer = await ask(fleet.url + route.path, {
        method: 'POST',
        headers: { ...bearer('narrow'), 'content-type': `multipart/form-data; ${type}` },
        body: `${write(formPart('model', 'alpha'), formPart('model', 'beta'))}--b--\r\n`,
      })
      expect([route.path, [400, 415].includes(answer.status)]).toEqual([route.path, true])
    }
    expect(fleet.calls()).toHaveLength(before)
  })
}
