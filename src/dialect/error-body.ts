// The body of an error the router answers itself, in the caller's dialect. Shapes only: no status, no header.
// What the official clients make of it is tested in error-body.test.ts.

import type { RouterError } from '../errors/router-error.ts'

export type ErrorDialect = 'openai' | 'anthropic'

/** The JSON text of an error answer. Holds `error.message`, never its cause or stack. */
export function errorBody(dialect: ErrorDialect, error: RouterError, requestId: string): string {
  const { message, code, param, definition, details } = error
  if (dialect === 'openai')
    return JSON.stringify({ error: { message, type: definition.type, param, code, ...details } })
  const type = anthropicErrorType(definition.status)
  return JSON.stringify({ type: 'error', error: { type, message }, request_id: requestId })
}

/** Anthropic names errors by status, in bodies and in streams: https://docs.claude.com/en/api/errors */
export function anthropicErrorType(status: number): string {
  switch (status) {
    case 401:
      return 'authentication_error'
    case 403:
      return 'permission_error'
    case 404:
      return 'not_found_error'
    case 413:
      return 'request_too_large'
    case 429:
      return 'rate_limit_error'
    case 503:
    case 529:
      return 'overloaded_error'
    case 408:
    case 504:
      return 'timeout_error'
    default:
      return status >= 500 || status === 499 ? 'api_error' : 'invalid_request_error'
  }
}
