// What the surface refuses, by path, method, type and length, and that it does so in the caller's words.

import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES, OWN_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import {
  ask,
  audioForm,
  chatBody,
  expectAnthropicRefusal,
  expectExplained,
  expectRefusal,
  postJson,
} from '../support/ask.ts'
import type { LiveFleet } from '../support/live-fleet.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'

const CHAT = '/v1/chat/completions'

/** The `max_payload_size` these tests want. */
export const MAX_BODY_BYTES = 1024 * 1024

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
  '/sleep /wake_up /is_sleeping /reset_prefix_cache /load /ping /server_info /docs /openapi.json /',
  '/v1/load_lora_adapter /v1/unload_lora_adapter /collective_rpc /start_profile /invocations /scale_elastic_ep',
  '/inference/v1/generate /sim/state /sim/faults',
].flatMap((line) => line.split(' '))

export function describeRefusals(fleet: LiveFleet): void {
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    postJson(fleet.url + path, body, headers)

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
}

export function describeLimits(fleet: LiveFleet): void {
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    postJson(fleet.url + path, body, headers)

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

    test('a form by what has come; no worker is blamed', async () => {
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
}
