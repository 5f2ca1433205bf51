// Every route of the catalogue reaches a worker, models and probes tell the truth, and what is refused is refused in the
// caller's words.

import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES, OWN_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import {
  type Answered,
  ask,
  chatBody,
  expectAnthropicRefusal,
  expectRefusal,
  postJson,
} from '../support/ask.ts'
import { freePort, type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'

const CHAT = '/v1/chat/completions'
const MAX_BODY_BYTES = 1024 * 1024

/** A request each route's worker answers with 200. */
const BODIES: Readonly<Record<string, object>> = {
  '/v1/chat/completions': chatBody('org/alpha'),
  '/v1/completions': { model: 'org/alpha', prompt: 'hi' },
  '/v1/responses': { model: 'org/alpha', input: 'hi' },
  '/v1/messages': { ...chatBody('org/alpha'), max_tokens: 2 },
  '/v1/messages/count_tokens': chatBody('org/alpha'),
  '/v1/embeddings': { model: 'org/alpha', input: 'hi' },
  '/v1/rerank': { model: 'org/alpha', query: 'a', documents: ['a', 'b'] },
  '/v2/rerank': { model: 'org/alpha', query: 'a', documents: ['a', 'b'] },
  '/rerank': { model: 'org/alpha', query: 'a', documents: ['a', 'b'] },
  '/v1/score': { model: 'org/alpha', text_1: 'a', text_2: 'b' },
  '/score': { model: 'org/alpha', text_1: 'a', text_2: 'b' },
  '/classify': { model: 'org/alpha', input: 'hi' },
  '/pooling': { model: 'org/alpha', input: 'hi' },
  '/tokenize': { model: 'org/alpha', prompt: 'hi' },
  '/detokenize': { model: 'org/alpha', tokens: [1, 2] },
}

function audioForm(model: string): FormData {
  const form = new FormData()
  form.set('model', model)
  form.set('file', new Blob(['not really sound']), 'a.wav')
  return form
}

/** A form in chunks whose file is longer than the limit, and does not end. */
function endlessForm(model: string): string {
  const field = (name: string) => `--cut\r\nContent-Disposition: form-data; name="${name}"`
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
  const form = `${field('model')}\r\n\r\n${model}\r\n${field('file')}; filename="a.wav"\r\n\r\n`
  const head = ['Content-Type: multipart/form-data; boundary=cut', 'Transfer-Encoding: chunked']
  const file = chunk('s'.repeat(0x8000)).repeat(MAX_BODY_BYTES / 0x8000 + 1)
  return rawRequest('POST /v1/audio/transcriptions', head) + chunk(form) + file
}

/** Paths of vLLM and of the simulator that no caller may reach. */
const WORKER_PATHS = [
  ...['/metrics', '/sleep', '/wake_up', '/is_sleeping', '/reset_prefix_cache', '/load', '/ping', '/server_info'],
  ...['/v1/load_lora_adapter', '/v1/unload_lora_adapter', '/collective_rpc', '/start_profile', '/invocations'],
  ...['/docs', '/openapi.json', '/scale_elastic_ep', '/inference/v1/generate', '/sim/state', '/sim/faults', '/'],
]

export function routesConformance(runtime: RuntimeName): void {
  describe(`routes on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: {
        alpha: { models: ['org/alpha'], loras: ['org/alpha-lora'], apiKey: 'key-alpha' },
        beta: { models: ['beta'], apiKey: 'key-beta' },
      },
      config: async (urls) => ({
        workers: [
          { id: 'alpha', url: urls.alpha, api_key: 'key-alpha' },
          { id: 'beta', url: urls.beta, api_key: 'key-beta' },
          { id: 'alpha-twin', url: await deadUrl(), models: ['org/alpha'] },
          { id: 'silent', url: await deadUrl() },
          { id: 'ghost', url: await deadUrl(), models: ['ghost'] },
        ],
        max_payload_size: MAX_BODY_BYTES,
      }),
    })
    const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
      postJson(fleet.url + path, body, headers)

    describe('each inference route reaches a worker', () => {
      test.each(INFERENCE_ROUTES)('$method $path', async ({ path, body, isCacheable }) => {
        const id = `route${path.replaceAll('/', '-')}`
        const answer =
          body === 'multipart'
            ? await ask(fleet.url + path, {
                method: 'POST',
                headers: { 'x-request-id': id },
                body: audioForm('org/alpha'),
              })
            : await post(path, present(BODIES[path], `a body for ${path}`), { 'x-request-id': id })
        expect(answer.status, answer.text).toBe(200)
        expect(fleet.call(id)).toMatchObject({ method: 'POST', target: path })
        expectExplained(answer, { worker: 'alpha', model: 'org/alpha', attempts: '1' })
        expect(answer.headers.get('x-vllm-router-cache-status')).toBe(isCacheable ? 'bypass' : null)
        expect(answer.headers.get('x-request-id')).toBe(id)
      })
    })

    describe('each route on a stored response reaches the worker that holds it', () => {
      test.each(STORED_RESPONSE_ROUTES)('$method $path', async ({ method, path, suffix }) => {
        const created = await post('/v1/responses', { model: 'beta', input: 'hi', background: suffix === '/cancel' })
        const { id: responseId } = created.json()
        const id = `stored-${method}${suffix.replace('/', '-')}`
        const url = fleet.url + path.replace(':id', responseId)
        const answer = await ask(url, { method, headers: { 'x-request-id': id } })
        expect(answer.status, answer.text).not.toBe(404)
        expect(fleet.call(id)).toMatchObject({ method, target: `/v1/responses/${responseId}${suffix}` })
        expectExplained(answer, { worker: 'beta', model: null, attempts: '1', policy: 'response_affinity' })
        if (method === 'DELETE') expectRefusal(await ask(url), 'response_not_found')
      })

      test('a conversation goes on where it began', async () => {
        for (const model of ['org/alpha', 'beta', 'org/alpha']) {
          const first = await post('/v1/responses', { model, input: 'hi' })
          const next = await post('/v1/responses', { model, input: 'go on', previous_response_id: first.json().id })
          expect(next.status, next.text).toBe(200)
          expect(next.headers.get('x-vllm-router-worker')).toBe(first.headers.get('x-vllm-router-worker'))
        }
      })

      test('an unknown id is 404, one that is no id 400', async () => {
        expectRefusal(await ask(`${fleet.url}/v1/responses/resp_unknown`), 'response_not_found')
        expectRefusal(await ask(`${fleet.url}/v1/responses/resp.x`), 'invalid_request')
        const body = { model: 'beta', input: 'hi', previous_response_id: 'resp_unknown' }
        expectRefusal(await post('/v1/responses', body), 'response_not_found')
      })
    })

    describe('models', () => {
      test('the list is the union over the workers that answer, adapters included', async () => {
        const answer = await ask(`${fleet.url}/v1/models`)
        expect(answer.status, answer.text).toBe(200)
        const { object, data } = answer.json()
        expect(object).toBe('list')
        expect(data.map(({ id }: { id: string }) => id)).toEqual(['org/alpha', 'org/alpha-lora', 'beta'])
        expect(data[0]).toMatchObject({ object: 'model', owned_by: 'vllm', max_model_len: 131_072 })
        expect(answer.headers.get('x-request-id')).toMatch(/^req-/)
      })

      test.each(['org/alpha', 'org%2Falpha', 'org%2falpha', 'org/alpha-lora', 'beta', 'beta?x=1'])(
        'one model by its id: %s',
        async (path) => {
          const answer = await ask(`${fleet.url}/v1/models/${path}`)
          expect(answer.status, answer.text).toBe(200)
          expect(answer.json()).toMatchObject({ id: decodeURIComponent(path.replace('?x=1', '')), object: 'model' })
        },
      )

      test.each(['nope', 'org', 'org/alpha/x', 'org/alpha/', 'toString', '__proto__'])('%s is 404', async (id) => {
        expectRefusal(await ask(`${fleet.url}/v1/models/${id}`), 'model_not_found')
      })

      test('an adapter is routed to its worker', async () => {
        const answer = await post(CHAT, chatBody('org/alpha-lora'))
        expectExplained(answer, { worker: 'alpha', model: 'org/alpha-lora', attempts: '1' })
        expect(answer.json().model).toBe('org/alpha-lora')
      })

      test('no model named and several on offer: 400', async () => {
        const answer = await post(CHAT, { messages: [] })
        expectRefusal(answer, 'model_required')
        expect(answer.json().error.param).toBe('model')
        expectExplained(answer, { worker: null, model: null, attempts: '0' })
      })

      test('an unknown model: 404', async () => {
        const answer = await post(CHAT, chatBody('gpt-4'))
        expectRefusal(answer, 'model_not_found')
        expect(answer.json().error.message).toContain('gpt-4')
        expectExplained(answer, { worker: null, model: null, attempts: '0' })
      })

      test('a configured model whose only worker is down: 503 with Retry-After', async () => {
        const answer = await post(CHAT, chatBody('ghost'))
        expectRefusal(answer, 'no_worker')
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
        expectExplained(answer, { worker: null, model: 'ghost', attempts: '0' })
      })

      test('a dead worker breaks neither its twin nor other models', async () => {
        const models = ['org/alpha', 'beta', 'org/alpha', 'beta', 'org/alpha', 'beta']
        const answers = await Promise.all(models.map((model) => post(CHAT, chatBody(model))))
        expect(answers.map(({ status }) => status)).toEqual(models.map(() => 200))
        expect(answers.map(({ headers }) => headers.get('x-vllm-router-worker'))).toEqual(
          models.map((model) => (model === 'beta' ? 'beta' : 'alpha')),
        )
      })
    })

    describe('probes of the router itself', () => {
      test('/health, /liveness, /version', async () => {
        expect((await ask(`${fleet.url}/health`)).json()).toEqual({ status: 'ok' })
        expect((await ask(`${fleet.url}/liveness`)).text).toBe('OK')
        const version = { name: 'vllm-edge-router', version: expect.stringMatching(/^\d+\.\d+\.\d+/) }
        expect((await ask(`${fleet.url}/version`)).json()).toEqual(version)
      })

      test('/readiness is 503 while a configured model has no worker, and names the model, never a worker', async () => {
        const answer = await ask(`${fleet.url}/readiness`)
        expect(answer.status).toBe(503)
        expect(answer.json()).toEqual({
          status: 'not_ready',
          reason: 'no worker for: ghost',
          healthy_workers: 2,
          total_workers: 5,
        })
      })

      test.each(OWN_ROUTES)('HEAD $path answers as GET does, without a body', async ({ path }) => {
        const target = path.replace('*', 'beta')
        const [head, get] = await Promise.all([
          ask(fleet.url + target, { method: 'HEAD' }),
          ask(fleet.url + target),
        ])
        expect(head.status).toBe(get.status)
        expect(head.text).toBe('')
        expect(head.headers.get('x-request-id')).toMatch(/^req-/)
      })
    })

    describe('refusals', () => {
      test.each(WORKER_PATHS)('%s does not exist here, by GET or POST', async (path) => {
        expectRefusal(await ask(fleet.url + path), 'not_found')
        expectRefusal(await post(path, {}), 'not_found')
        expect(fleet.calls().map(({ target }) => target)).not.toContain(path)
      })

      test.each([...INFERENCE_ROUTES, ...STORED_RESPONSE_ROUTES, ...OWN_ROUTES])(
        '$path by another method than $method is 405 and says which it takes',
        async ({ path, method }) => {
          const target = path.replace(':id', 'resp_1').replace('*', 'beta')
          for (const wrong of ['PUT', 'PATCH', 'OPTIONS']) {
            const answer = await ask(fleet.url + target, { method: wrong })
            expect(answer.headers.get('allow')?.split(', ')).toContain(method)
            if (path.startsWith('/v1/messages')) {
              expectAnthropicRefusal(answer, 'method_not_allowed', 'invalid_request_error')
            } else expectRefusal(answer, 'method_not_allowed')
          }
        },
      )

      test.each(['HEAD', 'GET', 'DELETE'])('%s on an inference route is 405', async (method) => {
        const answer = await ask(fleet.url + CHAT, { method })
        expect(answer.status).toBe(405)
        expect(answer.headers.get('allow')).toBe('POST')
        expectExplained(answer, { worker: null, model: null, attempts: '0' })
      })

      test.each([CHAT, '/health', '/v1/responses/resp_1'])('TRACE %s is 405 and echoes nothing', async (path) => {
        const answer = await sendRaw(fleet.url, rawRequest(`TRACE ${path}`, ['x-canary: sing']))
        expect(answer.status).toBe(405)
        expect(answer.text).not.toContain('sing')
      })

      test('headers and parameters that claim another method are not believed', async () => {
        const before = fleet.calls().length
        for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
          const url = `${fleet.url}${CHAT}?_method=POST`
          expectRefusal(await ask(url, { headers: { [name]: 'POST' } }), 'method_not_allowed')
        }
        expect(fleet.calls()).toHaveLength(before)
      })

      test('a body of the wrong type is 415', async () => {
        const answer = await post(CHAT, chatBody('beta'), { 'content-type': 'text/plain' })
        expectRefusal(answer, 'unsupported_media_type')
        expectExplained(answer, { worker: null, model: null, attempts: '0' })
        expectRefusal(await post('/v1/audio/transcriptions', {}), 'unsupported_media_type')
      })

      test('on /v1/messages every refusal has the shape of Anthropic', async () => {
        const body = chatBody('nope')
        expectAnthropicRefusal(await post('/v1/messages', '{'), 'invalid_json', 'invalid_request_error')
        expectAnthropicRefusal(await post('/v1/messages', body), 'model_not_found', 'not_found_error')
        expectAnthropicRefusal(await post('/v1/messages', chatBody('ghost')), 'no_worker', 'overloaded_error')
        const plain = await post('/v1/messages', body, { 'content-type': 'text/plain' })
        expectAnthropicRefusal(plain, 'unsupported_media_type', 'invalid_request_error')
        const long = await post('/v1/messages', ' '.repeat(MAX_BODY_BYTES + 1))
        expectAnthropicRefusal(long, 'body_too_large', 'request_too_large')
        expectAnthropicRefusal(await post('/v1/messages/count_tokens', '{'), 'invalid_json', 'invalid_request_error')
      })

      test('CORS is off: a preflight is a method that no route takes, and no answer has a word of it', async () => {
        const headers = { origin: 'https://app.example.com', 'access-control-request-method': 'POST' }
        const preflight = await ask(fleet.url + CHAT, { method: 'OPTIONS', headers })
        expectRefusal(preflight, 'method_not_allowed')
        const answer = await post(CHAT, chatBody('beta'), headers)
        for (const { headers } of [preflight, answer]) {
          expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
        }
      })
    })

    describe('a body over the limit is 413 before it is read', () => {
      const json = 'Content-Type: application/json'

      test('by its stated length alone', async () => {
        const head = rawRequest(`POST ${CHAT}`, [json, `Content-Length: ${MAX_BODY_BYTES + 1}`])
        const answer = await sendRaw(fleet.url, head)
        expectRefusal(answer, 'body_too_large')
        expectExplained(answer, { worker: null, model: null, attempts: '0' })
      })

      test('by what has come, when no length is stated', async () => {
        const piece = `8000\r\n${' '.repeat(0x8000)}\r\n`
        const head = rawRequest(`POST ${CHAT}`, [json, 'Transfer-Encoding: chunked'])
        // One piece more than fits, and no end: the rest of the body never comes.
        const answer = await sendRaw(fleet.url, head + piece.repeat(MAX_BODY_BYTES / 0x8000 + 1))
        expectRefusal(answer, 'body_too_large')
      })

      test('a form by its stated length', async () => {
        const before = fleet.calls().length
        const form = audioForm('org/alpha')
        form.set('file', new Blob([new Uint8Array(MAX_BODY_BYTES)]), 'long.wav')
        expectRefusal(await ask(`${fleet.url}/v1/audio/transcriptions`, { method: 'POST', body: form }), 'body_too_large')
        expect(fleet.calls().length - before).toBe(0)
      })

      test('a form by what has come, though it was on its way to a worker; the worker is not blamed', async () => {
        for (let times = 0; times < 3; times += 1) {
          const answer = await sendRaw(fleet.url, endlessForm('org/alpha'))
          expectRefusal(answer, 'body_too_large')
        }
        expect((await post(CHAT, chatBody('org/alpha'))).status).toBe(200)
      })

      test('exactly the limit is taken, and the server still serves', async () => {
        const text = JSON.stringify(chatBody('beta'))
        const answer = await post(CHAT, text + ' '.repeat(MAX_BODY_BYTES - text.length))
        expect(answer.status, answer.text).toBe(200)
      })
    })
  })

  describe(`readiness and configured defaults on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { one: { models: ['one'] }, two: { models: ['two'] } },
      config: (urls) => ({
        workers: [
          { id: 'one', url: urls.one, models: ['one'] },
          { id: 'two', url: urls.two },
        ],
        default_model: 'two',
        expose_routing_headers: false,
        model_refresh_secs: 1,
      }),
    })
    const readiness = () => ask(`${fleet.url}/readiness`)

    test('ready while each configured model has a worker, not ready when one dies, ready again when it is back', async () => {
      const ready = { status: 'ready', healthy_workers: 2, total_workers: 2 }
      expect((await readiness()).json()).toEqual(ready)
      await fleet.worker('one').setFaults({ refuse: true })
      await until(async () => (await readiness()).status === 503, 8_000, () => 'stayed ready')
      expect((await readiness()).json()).toMatchObject({ status: 'not_ready', reason: 'no worker for: one' })
      await fleet.worker('two').setFaults({ refuse: true })
      await until(async () => (await readiness()).json().reason === 'no worker answers', 8_000, () => 'found a worker')
      expectRefusal(await ask(`${fleet.url}/v1/models`), 'no_worker')
      await Promise.all([fleet.worker('one').setFaults([]), fleet.worker('two').setFaults([])])
      await until(async () => (await readiness()).status === 200, 8_000, () => 'never got ready again')
    })

    test('a request without a model gets default_model', async () => {
      const answer = await postJson(fleet.url + CHAT, { messages: [{ role: 'user', content: 'hi' }] })
      expect(answer.json().model).toBe('two')
      expect((await postJson(fleet.url + CHAT, { ...chatBody('one'), model: null })).json().model).toBe('two')
    })

    test('expose_routing_headers: false leaves the request id alone', async () => {
      const answers = [
        await postJson(fleet.url + CHAT, chatBody('one'), { 'x-request-id': 'mine' }),
        await postJson(fleet.url + CHAT, '{', { 'x-request-id': 'mine' }),
      ]
      expect(answers.map(({ status }) => status)).toEqual([200, 400])
      for (const { headers } of answers) {
        expect([...headers.keys()].filter((name) => name.startsWith('x-vllm-router-'))).toEqual([])
        expect(headers.get('x-request-id')).toBe('mine')
      }
    })
  })
}

interface Explanation {
  readonly worker: string | null
  readonly model: string | null
  readonly attempts: string
  /** The policy that chose, where one did. */
  readonly policy?: string
}

/** The answer says how it was routed, as every answer of an inference route must. */
function expectExplained({ headers }: Answered, explanation: Explanation): void {
  const { worker, model, attempts, policy = 'round_robin' } = explanation
  const method = headers.get('x-vllm-router-method')
  expect(headers.get('x-vllm-router-worker')).toBe(worker)
  expect(headers.get('x-vllm-router-model')).toBe(model)
  expect(headers.get('x-vllm-router-attempts')).toBe(attempts)
  expect(method).toMatch(/^(?:policy|none|rejected)$/)
  expect(headers.get('x-vllm-router-policy')).toBe(method === 'policy' ? policy : null)
}

async function deadUrl(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`
}

function present<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Error(`there is no ${what}; a new route needs one here`)
  return value
}
