// Error bodies per dialect, and which error class the official clients make of every code the router can answer with.
// The status and headers come from on-error; here a node:http server stands in for it.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ERROR_CODES, type ErrorCodeName } from '../errors/codes.ts'
import { RouterError } from '../errors/router-error.ts'
import { errorBody } from './error-body.ts'

const CODES = Object.keys(ERROR_CODES) as ErrorCodeName[] // keys of a constant object
const errorOf = (code: ErrorCodeName) =>
  new RouterError(code, `About ${code}.`, { param: 'model', cause: new Error('secret') })

let server: Server
let origin: string

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x')
    const code = CODES.find((name) => url.pathname.startsWith(`/${name}/`)) ?? 'internal_error'
    const dialect = url.pathname.endsWith('/messages') ? 'anthropic' : 'openai'
    request.resume()
    response.writeHead(ERROR_CODES[code].status, { 'content-type': 'application/json', 'x-request-id': 'req-1' })
    response.end(errorBody(dialect, errorOf(code), 'req-1'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // a TCP server's address is never a string
})

afterAll(() => new Promise((resolve) => server.close(resolve)))

function classNameByStatus(status: number): string {
  const named: Record<number, string> = {
    400: 'BadRequestError',
    401: 'AuthenticationError',
    403: 'PermissionDeniedError',
    404: 'NotFoundError',
    409: 'ConflictError',
    422: 'UnprocessableEntityError',
    429: 'RateLimitError',
  }
  return named[status] ?? (status >= 500 ? 'InternalServerError' : 'APIError')
}

const ANTHROPIC_TYPES: ReadonlySet<string> = new Set([
  'invalid_request_error',
  'authentication_error',
  'permission_error',
  'not_found_error',
  'request_too_large',
  'rate_limit_error',
  'api_error',
  'timeout_error',
  'overloaded_error',
])

async function rejection(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run()
  } catch (error) {
    return error
  }
  throw new Error('did not reject')
}

describe.each(CODES)('%s', (code) => {
  const { status, type } = ERROR_CODES[code]

  test('is what the openai client raises by status', async () => {
    const client = new OpenAI({ baseURL: `${origin}/${code}`, apiKey: 'test', maxRetries: 0 })
    const error = await rejection(() => client.chat.completions.create({ model: 'm', messages: [] }))
    expect(error).toBeInstanceOf(OpenAI[classNameByStatus(status) as 'BadRequestError']) // one of the names above
    expect(error).toMatchObject({ status, code, type, param: 'model', requestID: 'req-1' })
    expect(error).toMatchObject({ message: expect.stringContaining(`About ${code}.`) })
  })

  test('is what the Anthropic client raises by status', async () => {
    const client = new Anthropic({ baseURL: `${origin}/${code}`, apiKey: 'test', maxRetries: 0 })
    const error = await rejection(() => client.messages.create({ model: 'm', max_tokens: 1, messages: [] }))
    expect(error).toBeInstanceOf(Anthropic[classNameByStatus(status) as 'BadRequestError']) // one of the names above
    expect(error).toMatchObject({ status, error: { type: 'error', request_id: 'req-1' } })
    expect(ANTHROPIC_TYPES).toContain((error as { type: string }).type) // APIError has it
  })
})

test('the shapes, with nothing of the cause', () => {
  expect(JSON.parse(errorBody('openai', errorOf('model_not_found'), 'req-1'))).toEqual({
    error: { message: 'About model_not_found.', type: 'not_found_error', param: 'model', code: 'model_not_found' },
  })
  expect(JSON.parse(errorBody('anthropic', errorOf('no_worker'), 'req-1'))).toEqual({
    type: 'error',
    error: { type: 'overloaded_error', message: 'About no_worker.' },
    request_id: 'req-1',
  })
  expect(JSON.parse(errorBody('anthropic', errorOf('body_too_large'), 'req-1')).error.type).toBe('request_too_large')
  expect(JSON.parse(errorBody('openai', new RouterError('internal_error', 'x'), 'r')).error.param).toBeNull()
})
