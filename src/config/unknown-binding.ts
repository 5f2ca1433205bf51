// What is said of a binding that the runtime does not have, whatever is to be reached through it.

import { errorAt, type Path, type Problem } from './finding.ts'

/** No problem where `bindings` is null, since they are not known then. */
export function unknownBinding(path: Path, name: string | null, bindings: readonly string[] | null): Problem[] {
  if (name === null || bindings === null || bindings.includes(name)) return []
  const known = bindings.length === 0 ? 'this runtime has none' : `bindings: ${bindings.join(', ')}`
  return [errorAt(path, `no binding is called "${name}"; ${known}`)]
}
