// Errors in vLLM's words and shapes, for OpenAI routes and for the Anthropic one.

const TYPES: Readonly<Record<number, string>> = {
  400: 'BadRequestError',
  401: 'AuthenticationError',
  404: 'NotFoundError',
  422: 'UnprocessableEntityError',
  429: 'RateLimitError',
  500: 'InternalServerError',
  501: 'NotImplementedError',
  503: 'ServiceUnavailableError',
}

/** Thrown by a handler; the worker turns it into the answer. */
export class VllmError extends Error {
  readonly status: number
  readonly param: string | null

  constructor(status: number, message: string, param: string | null = null) {
    super(message)
    this.name = 'VllmError'
    this.status = status
    this.param = param
  }
}

export function modelNotFound(model: string): VllmError {
  return new VllmError(404, `The model \`${model}\` does not exist.`)
}

/** Body of an error on every route but the Anthropic one. */
export function toOpenAiError(error: VllmError): object {
  const { message, param, status } = error
  return { error: { message, type: TYPES[status] ?? 'InternalServerError', param, code: status } }
}

/** Body of an error on /v1/messages. */
export function toAnthropicError(error: VllmError): object {
  const type = error.status === 500 ? 'internal_error' : (TYPES[error.status] ?? 'internal_error')
  return { type: 'error', error: { type, message: error.message } }
}
