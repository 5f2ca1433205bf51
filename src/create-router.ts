// A router from a configuration's text, for programs that bring a platform of their own.

import { formatFindings } from './config/print.ts'
import { loadConfig } from './config/load.ts'
import type { ReplayPlatform } from './config/router-replay-checks.ts'
import type { ConfigSource } from './control/config-source.ts'
import type { Platform } from './platform.ts'
import { assembleRouter, type Router } from './router.ts'
import { policyRegistry } from './routing/policies/index.ts'
import type { PolicyDefinition } from './routing/policy.ts'
import { createMemoryConfigStore } from './store/config-memory.ts'

export interface CreateRouterOptions {
  /** The configuration as YAML text. */
  readonly config: string
  readonly platform: Platform
  /** Policies beyond the built-in ones, by the name YAML uses. */
  readonly policies?: Record<string, PolicyDefinition>
  /** Values of `${NAME}` in the configuration. */
  readonly env?: (name: string) => string | undefined
}

const NOT_BROUGHT = 'a program that brings its own platform has memory alone'

const MEMORY_ALONE: ReplayPlatform = {
  missing: { durable_object: NOT_BROUGHT, redis: NOT_BROUGHT, postgres: NOT_BROUGHT, r2: NOT_BROUGHT },
  hasSockets: false,
  hyperdrives: null,
}

/** Loads the configuration and assembles a router. Rejects with every finding when the configuration is not valid. */
export async function createRouter(options: CreateRouterOptions): Promise<Router> {
  const { config: text, platform } = options
  const policies = policyRegistry(options.policies)
  const load: ConfigSource['load'] = (given, besides) =>
    loadConfig(given, {
      env: options.env ?? (() => undefined),
      policies,
      showsConnectPhase: platform.showsConnectPhase,
      replayPlatform: MEMORY_ALONE,
      ...(besides === null ? {} : { besides }),
    })
  const result = await load(text, null)
  if (!result.ok) throw new Error(`The configuration is not valid:\n${formatFindings(result.findings, 'config')}`)
  // Changes through the admin API last as long as the router: where to keep them is the program's to say.
  const store = createMemoryConfigStore({ text, hash: result.config.hash, now: platform.now })
  return assembleRouter(result.config, platform, { source: { store, start: await store.current(), load } })
}
