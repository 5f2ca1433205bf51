// Which models a caller may use. Names are compared exactly, after Unicode normalisation: two spellings of one name that
// look the same must not be two names to a check and one to a worker.

const ANY = '*'

/** Whether a list of exact names, beginnings with `*` at the end, and `*` covers a model. Case and spaces count. */
export function coversModel(allowed: readonly string[], model: string): boolean {
  const name = model.normalize('NFC')
  return allowed.some((entry) => {
    const pattern = entry.normalize('NFC')
    return pattern.endsWith(ANY) ? name.startsWith(pattern.slice(0, -1)) : name === pattern
  })
}

/** Whether a list leaves nothing out, so that even a request whose model nobody knows is covered. */
export function coversAllModels(allowed: readonly string[]): boolean {
  return allowed.includes(ANY)
}
