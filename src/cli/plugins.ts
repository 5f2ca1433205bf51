// Policies from the operator's own modules (`--plugin ./mine.ts`).

import { definitionsOf } from '../routing/definitions-of.ts'
import { policyRegistry } from '../routing/policies/index.ts'
import type { PolicyDefinition, PolicyRegistry } from '../routing/policy.ts'
import type { Host } from './host.ts'

/** The built-in policies and those of the given modules. Throws an Error that names the module at fault. */
export async function loadPolicies(host: Host, paths: readonly string[]): Promise<PolicyRegistry> {
  const custom: Record<string, PolicyDefinition> = {}
  for (const path of paths) {
    const module = await host.importModule(path)
    const found = definitionsOf(module)
    if (found.length === 0) {
      throw new Error(`${path} exports no policy; export one made with definePolicy(), by default or by name`)
    }
    for (const definition of found) custom[definition.name] = definition
  }
  return policyRegistry(custom)
}
