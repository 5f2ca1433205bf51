// Configurations from text, as the loader makes them, for tests of what becomes of a file.

import { loadConfig, type LoadOptions } from '../../src/config/load.ts'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'

export interface Given extends Partial<LoadOptions> {
  /** Values of `${NAME}`. */
  readonly variables?: Readonly<Record<string, string>>
}

export function load(text: string, { variables = {}, ...options }: Given = {}) {
  return loadConfig(text, { env: (name) => variables[name], policies: BUILT_IN_POLICIES, ...options })
}

/** The configuration, and what was said of it all the same. Throws for a file that does not load. */
export async function good(text: string, given: Given = {}) {
  const result = await load(text, given)
  if (!result.ok) throw new Error(JSON.stringify(result.findings, null, 1))
  return result
}
