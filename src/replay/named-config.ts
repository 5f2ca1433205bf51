// A configuration of a replay.

import type { Config } from '../config/config.ts'

export interface NamedConfig {
  /** What a report calls it: the file it was read from, as a rule. */
  readonly name: string
  readonly config: Config
}
