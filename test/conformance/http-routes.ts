// Every route of the catalogue reaches a worker, and what belongs together reaches the same one.

import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import { ask, audioForm, chatBody, expectExplained, expectRefusal, postJson } from '../support/ask.ts'
import { freePort, type RuntimeName } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { describeModels, describeReadiness } from './http-models.ts'
import { describeLimits, describeRefusals, MAX_BODY_BYTES } from './http-refusals.ts'

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
    describeRoutes(fleet)
    describeModels(fleet)
    describeRefusals(fleet)
    describeLimits(fleet)
  })
  describeReadiness(runtime)
}

function describeRoutes(fleet: LiveFleet): void {
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
}

async function deadUrl(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`
}

function present<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Error(`there is no ${what}; a new route needs one here`)
  return value
}
