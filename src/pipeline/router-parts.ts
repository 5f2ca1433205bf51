// The long-lived parts that serving a request takes, put together once a process or isolate.

import type { Config } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import type { FleetMirror } from '../store/fleet-mirror.ts'
import type { PipelineEvents } from './events.ts'

export interface RouterParts {
  readonly config: Config
  readonly platform: Platform
  readonly mirror: FleetMirror
  readonly events: PipelineEvents
  /** True once the process is shutting down: running requests finish, new ones are refused. */
  isDraining(): boolean
}
