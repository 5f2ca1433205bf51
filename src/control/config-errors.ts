// What operators are told when a configuration can't be had or can't be used.

import type { Finding } from '../config/finding.ts'
import { countFindings } from '../config/print.ts'
import { RouterError } from '../errors/router-error.ts'

/** Every finding goes along, with its path and its line in the text that was sent. */
export function configRefused(findings: readonly Finding[]): RouterError {
  const message = `The configuration has ${countFindings(findings)}; what runs stays as it is.`
  return new RouterError('config_refused', message, { details: { findings } })
}

export function storeFailed(cause: unknown): RouterError {
  const message = 'The documents of the configuration can not be reached at the moment; the log says why.'
  return new RouterError('config_unavailable', message, { cause, retryAfterSeconds: 2 })
}
