// The one error class the router throws on purpose; anything else that surfaces is a defect and is answered as such.

import { ERROR_CODES, type ErrorCode, type ErrorCodeName } from './codes.ts'

export interface RouterErrorOptions {
  /** What went wrong underneath. Logged, never sent. */
  readonly cause?: unknown
  /** The request field at fault, OpenAI's `error.param`. */
  readonly param?: string
  /** Seconds until another try makes sense; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number
  /** Methods the route does take, sent as `Allow` with a 405. */
  readonly allow?: readonly string[]
  /** More for programs, such as the findings about a configuration; put beside `error.message`. */
  readonly details?: Readonly<Record<string, unknown>>
}

/**
 * An answer the router gives itself. `message` reaches the caller: it says what, where and what to do, and holds no
 * address, key or input longer than 64 characters.
 */
export class RouterError extends Error {
  override readonly name = 'RouterError'
  readonly code: ErrorCodeName
  readonly param: string | null
  readonly retryAfterSeconds: number | null
  readonly allow: readonly string[] | null
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCodeName, message: string, options: RouterErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.param = options.param ?? null
    this.retryAfterSeconds = options.retryAfterSeconds ?? null
    this.allow = options.allow ?? null
    this.details = options.details ?? {}
  }

  get definition(): ErrorCode {
    return ERROR_CODES[this.code]
  }
}

/** Shortens a value that came from a caller so that an error can name it without echoing a flood. */
export function quoted(value: string): string {
  return value.length <= 64 ? `\`${value}\`` : `\`${value.slice(0, 64)}…\``
}
