// A router from a configuration's text, for programs that bring a platform of their own.

import { formatFindings } from './config/print.ts'
import { loadConfig } from './config/load.ts'
import type { Platform } from './platform.ts'
import { assembleRouter, type Router } from './router.ts'
import { policyRegistry } from './routing/policies/index.ts'
import type { PolicyDefinition } from './routing/policy.ts'

export interface CreateRouterOptions {
  /** The configuration as YAML text. */
  readonly config: string
  readonly platform: Platform
  /** Policies beyond the built-in ones, by the name YAML uses. */
  readonly policies?: Record<string, PolicyDefinition>
  /** Values of `${NAME}` in the configuration. */
  readonly env?: (name: string) => string | undefined
}

/** Loads the configuration and assembles a router. Rejects with every finding when the configuration is not valid. */
export async function createRouter(options: CreateRouterOptions): Promise<Router> {
  const result = await loadConfig(options.config, {
    env: options.env ?? (() => undefined),
    policies: policyRegistry(options.policies),
    showsConnectPhase: options.platform.showsConnectPhase,
  })
  if (!result.ok) throw new Error(`The configuration is not valid:\n${formatFindings(result.findings, 'config')}`)
  return assembleRouter(result.config, options.platform)
}
