// The long-lived parts that serving a request takes, put together once a process or isolate.

import type { Config } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import type { ViewDocuments } from '../record/view-document.ts'
import type { FleetMirror } from '../store/fleet-mirror.ts'
import type { LimitDesk } from '../store/limit-desk.ts'
import type { RetryBudget } from '../upstream/retry-budget.ts'
import type { AdmissionQueue } from './admission-queue.ts'
import type { Callers } from './callers.ts'
import type { PipelineEvents } from './events.ts'
import type { HookGroups } from './hooks.ts'

export interface RouterParts {
  readonly config: Config
  readonly platform: Platform
  readonly mirror: FleetMirror
  readonly callers: Callers
  /** Outlives a configuration, as the requests in it do. */
  readonly admission: AdmissionQueue
  /** Outlives it likewise. */
  readonly limits: LimitDesk
  readonly hookGroups: HookGroups
  readonly events: PipelineEvents
  /** Documents of the views that decisions were made on, for records to name. */
  readonly viewDocuments: ViewDocuments
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
