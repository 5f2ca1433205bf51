// What the admin routes work on: everything of a router that outlives its configurations.

import type { RouterParts } from '../pipeline/router-parts.ts'
import type { DecisionSource } from '../store/decision-log.ts'
import type { ReplayDesk } from '../store/replay-desk.ts'
import type { ConfigControl } from './config-control.ts'
import type { ControlEvents } from './control-events.ts'

/** What became of one tenant's requests since the start of this process or isolate. */
export interface TenantCounts {
  readonly requests: number
  /** Those of them that were refused for a limit. */
  readonly rateLimited: number
  /** Those being answered now. */
  readonly inFlight: number
}

export interface AdminParts {
  readonly control: ConfigControl
  readonly events: ControlEvents
  readonly startedAtMs: number
  /** Whether other isolates serve the same callers, so that what is counted here is a part of the whole. */
  readonly isOneOfMany: boolean
  /** Parts of the configuration that requests from now on run under. */
  parts(): RouterParts
  /** Asks now what is current, past every copy in between. Never rejects. */
  catchUp(): Promise<void>
  /** Every decision that is still known, under way or over. */
  readonly decisions: DecisionSource
  /** Whose they are: all that the log has, or where nothing is written, those of this process or isolate. */
  readonly decisionsCover: 'log' | 'process' | 'isolate'
  /** Records of Router Replay. */
  readonly replays: Pick<ReplayDesk, 'list' | 'find' | 'isOpen' | 'status'>
  counts(): Readonly<Record<string, number>>
  tenantCounts(name: string): TenantCounts
  /** The text of `/metrics`, as things are now. Never rejects. */
  exposeMetrics(): Promise<string>
}
