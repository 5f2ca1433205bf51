// What a simulated LMCache controller can be told when it starts, with its defaults.

import type { FaultRuleInput } from '../fault-schema.ts'
import { WORKERS_SEED } from './chunk-keys.ts'

export interface SimulatedControllerOptions {
  readonly port?: number
  readonly host?: string
  /** A second port for /sim/* only, open also while the controller refuses connections; 0 for any. */
  readonly controlPort?: number | null
  readonly seed?: number
  /** How long a report takes to become visible. */
  readonly lagMs?: number
  /** Whether /controller/workers says how many keys each worker has; older releases did not. */
  readonly showsKeyCount?: boolean
  /** Whether workers that it has forgotten are asked for all they hold; older releases never did. */
  readonly asksForSnapshots?: boolean
  /** Answers that are JSON, but not of the shape anybody expects. */
  readonly wrongSchema?: boolean
  /** What lookups begin their hashes with; any text but the workers' own, which is empty, makes it blind. */
  readonly hashSeed?: string
  /** Whether what workers evict is believed to be there still. */
  readonly ignoresEvictions?: boolean
  /** Most tokens that a lookup of the coordinator takes. */
  readonly maxLookupTokens?: number
  readonly faults?: readonly FaultRuleInput[]
  /** How many requests /sim/state shows. */
  readonly logRequests?: number
}

export type ControllerSettings = Required<SimulatedControllerOptions>

export const DEFAULT_CONTROLLER_OPTIONS: ControllerSettings = {
  port: 9000,
  host: '127.0.0.1',
  controlPort: null,
  seed: 0,
  lagMs: 0,
  showsKeyCount: true,
  asksForSnapshots: false,
  wrongSchema: false,
  hashSeed: WORKERS_SEED,
  ignoresEvictions: false,
  maxLookupTokens: 131_072,
  faults: [],
  logRequests: 100,
}

/** Fills in the defaults. */
export function toControllerSettings(options: SimulatedControllerOptions): ControllerSettings {
  return { ...DEFAULT_CONTROLLER_OPTIONS, ...options }
}
