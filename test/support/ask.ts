// Whole requests and answers over HTTP, and what the router's own refusals must look like.

import { expect } from 'vitest'
import { ERROR_CODES, type ErrorCodeName } from '../../src/errors/codes.ts'

/** An answer read whole. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  json(): ReturnType<typeof JSON.parse>
}

/** Sends a request on a kept-alive connection; redirects are shown, not followed. */
export async function ask(url: string, init: RequestInit = {}): Promise<Answered> {
  const response = await fetch(url, { redirect: 'manual', ...init })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) }
}

/** Posts JSON: text and bytes as they are, everything else serialised. */
export function postJson(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const isReady = typeof body === 'string' || body instanceof Uint8Array
  return ask(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: isReady ? (body as string) : JSON.stringify(body),
  })
}

/** A chat request that any worker with this model answers. */
export function chatBody(model: string): object {
  return { model, messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 }
}

/** The answer is the router's own refusal with this code: status, OpenAI's shape, request id, no address in it. */
export function expectRefusal(answer: Answered, code: ErrorCodeName): void {
  expect(answer.text).toContain(code)
  expectOwnAnswer(answer, code)
  const { error } = answer.json()
  expect(error).toMatchObject({ type: ERROR_CODES[code].type, code, message: expect.any(String) })
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type'])
}

/** The same in Anthropic's shape. */
export function expectAnthropicRefusal(answer: Answered, code: ErrorCodeName, type: string): void {
  expectOwnAnswer(answer, code)
  const body = answer.json()
  expect(body).toEqual({
    type: 'error',
    error: { type, message: expect.any(String) },
    request_id: answer.headers.get('x-request-id'),
  })
}

function expectOwnAnswer(answer: Answered, code: ErrorCodeName): void {
  expect(answer.status, answer.text).toBe(ERROR_CODES[code].status)
  expect(answer.headers.get('content-type')).toBe('application/json')
  expect(answer.headers.get('x-request-id')).toMatch(/^[A-Za-z0-9._-]{1,128}$/)
  expect(answer.text).not.toMatch(/127\.0\.0\.1|localhost|https?:\/\/|node_modules/)
}

/** How an answer says it was routed. */
export interface Explanation {
  readonly worker: string | null
  readonly model: string | null
  readonly attempts: string
  /** The policy that chose, where one did. */
  readonly policy?: string
}

/** The answer explains itself as every answer of an inference route must, refusals included. */
export function expectExplained({ headers }: Answered, explanation: Explanation): void {
  const { worker, model, attempts, policy = 'round_robin' } = explanation
  const method = headers.get('x-vllm-router-method')
  expect(headers.get('x-vllm-router-worker')).toBe(worker)
  expect(headers.get('x-vllm-router-model')).toBe(model)
  expect(headers.get('x-vllm-router-attempts')).toBe(attempts)
  expect(method).toMatch(/^(?:policy|none|rejected)$/)
  expect(headers.get('x-vllm-router-policy')).toBe(method === 'policy' ? policy : null)
}

/** A form with a short file. */
export function audioForm(model: string): FormData {
  const form = new FormData()
  form.set('model', model)
  form.set('file', new Blob(['not really sound']), 'a.wav')
  return form
}
