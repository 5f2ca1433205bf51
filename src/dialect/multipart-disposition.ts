// The parameters of a part's Content-Disposition (RFC 7578, 4.2), and the refusal of anything given twice: parsers differ
// on which of the two they take.

import { RouterError } from '../errors/router-error.ts'

const PARAMETER = /;\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))/g

/** Parameters by lower-case name, escapes resolved. Throws `invalid_multipart` for one that repeats. */
export function readDisposition(disposition: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  for (const match of disposition.matchAll(PARAMETER)) {
    const name = (match[1] ?? '').toLowerCase()
    if (parameters.has(name)) throw repeated(`a part that gives its ${name === 'name' ? 'name' : 'parameters'} twice`)
    parameters.set(name, match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '')
  }
  return parameters
}

/** The error of a form that says something twice; `param` is the field it says it of. */
export function repeated(what: string, param?: string): RouterError {
  return new RouterError('invalid_multipart', `The body has ${what}.`, param === undefined ? {} : { param })
}
