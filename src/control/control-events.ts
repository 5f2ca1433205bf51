// What changing and operating a router tells the log.

import type { Finding } from '../config/finding.ts'
import type { ConfigOrigin, ConfigPointer } from '../store/config-store.ts'
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

/** A configuration that was to run, and can't. */
export interface ConfigRefused {
  /** Label of the admin key, `loopback`, or the signal. */
  readonly by: string
  readonly origin: ConfigOrigin
  readonly findings: readonly Finding[]
}

export interface ControlEvents {
  configChanged(change: ConfigChanged): void
  configRefused(refused: ConfigRefused): void
  /** A change, or the way to it, failed for a reason that is not the operator's. */
  configStoreFailed(cause: unknown): void
  adminCalled(call: AdminCall): void
}
