// The parameters of a form's Content-Type and of its parts' Content-Disposition (RFC 7578, 4), and the refusal of whatever
// parsers read in more than one way: which of two they take, what they make of RFC 2231's stars, and of backslashes.

import { RouterError } from '../errors/router-error.ts'

const PARAMETER = /;\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))/g

/** The one of RFC 2231's that clients send; it names a file, which is nothing to a router. */
const FILE_NAME = 'filename*'

/** Parameters by lower-case name. Throws `invalid_multipart` for one that repeats or can be read in two ways. */
export function readFormParameters(header: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  for (const match of header.matchAll(PARAMETER)) {
    const name = (match[1] ?? '').toLowerCase()
    const value = match[2] ?? match[3] ?? ''
    if (parameters.has(name)) throw repeated(`its ${toWords(name)} twice`)
    if (name.includes('*') && name !== FILE_NAME) throw repeated(`its ${toWords(name)} in parts or encoded`)
    parameters.set(name, value)
  }
  return parameters
}

/** The error of a form that says something twice; `param` is the field it says it of. */
export function repeated(what: string, param?: string): RouterError {
  return new RouterError('invalid_multipart', `The body has ${what}.`, param === undefined ? {} : { param })
}

/** Names come from the client: only those that we look at are repeated to it. */
function toWords(name: string): string {
  return /^(?:name|boundary|charset)\b/.exec(name)?.[0] ?? 'parameters'
}
