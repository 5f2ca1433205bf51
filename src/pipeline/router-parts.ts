// The long-lived parts that serving a request takes, put together once a process or isolate.

import type { Config } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import type { FleetMirror } from '../store/fleet-mirror.ts'
import type { RetryBudget } from '../upstream/retry-budget.ts'
import type { PipelineEvents } from './events.ts'
import type { HookGroups } from './hooks.ts'

export interface RouterParts {
  readonly config: Config
  readonly platform: Platform
  readonly mirror: FleetMirror
  readonly hookGroups: HookGroups
  readonly events: PipelineEvents
  /** What all requests together may spend on retries. */
  readonly retryBudget: RetryBudget
  /** The same for second attempts of late requests; null when there are none. */
  readonly hedgeBudget: RetryBudget | null
  /** True once the process is shutting down: running requests finish, new ones are refused. */
  isDraining(): boolean
}

/** The largest request body taken, from a caller as from a hook. */
export function maxBodyBytes({ config, platform }: Pick<RouterParts, 'config' | 'platform'>): number {
  return config.maxPayloadBytes ?? platform.defaultMaxPayloadBytes
}
