// What changing and operating a router tells the log.

import type { ConfigPointer } from '../store/config-store.ts'
import type { ConfigDiff } from './config-diff.ts'

export interface ConfigChanged {
  readonly pointer: ConfigPointer
  /** Hashes. */
  readonly before: string
  readonly after: string
  readonly diff: ConfigDiff
}

/** One call of an admin route that was let in. */
export interface AdminCall {
  readonly requestId: string
  readonly method: string
  /** As the catalogue writes it. */
  readonly route: string
  /** Label of the admin key; `loopback` where none is needed. */
  readonly by: string
  readonly status: number
}

export interface ControlEvents {
  configChanged(change: ConfigChanged): void
  /** A change, or the way to it, failed for a reason that is not the operator's. */
  configStoreFailed(cause: unknown): void
  adminCalled(call: AdminCall): void
}
