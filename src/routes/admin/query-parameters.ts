// Parameters of an admin route's query: what is not known, given twice or empty is an error that says what is allowed.

import { quoted, RouterError } from '../../errors/router-error.ts'

/** The parameters that were given, by name. Throws `invalid_request` for any that the route does not take. */
export function readParameters<Name extends string>(
  requestUrl: string,
  names: readonly Name[],
): Readonly<Partial<Record<Name, string>>> {
  const given: Partial<Record<Name, string>> = {}
  for (const [name, value] of new URL(requestUrl).searchParams) {
    const known = names.find((each) => each === name)
    if (known === undefined) throw unknownParameter(name, names)
    if (given[known] !== undefined) throw badParameter(known, 'must be given once')
    if (value === '') throw badParameter(known, 'must not be empty; leave it out instead')
    given[known] = value
  }
  return given
}

/** `what` goes on after the parameter's name, such as `must be a number`. */
export function badParameter(name: string, what: string): RouterError {
  return new RouterError('invalid_request', `\`${name}\` ${what}.`, { param: name })
}

function unknownParameter(name: string, names: readonly string[]): RouterError {
  const takes = names.length === 0 ? 'takes none' : `takes ${names.map((each) => `\`${each}\``).join(', ')}`
  const message = `There is no parameter ${quoted(name)} here; this route ${takes}.`
  return new RouterError('invalid_request', message, { param: name.slice(0, 64) })
}
