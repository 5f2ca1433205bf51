// What a change of the configuration changed, for the operator who made it.

import type { Config } from '../config/config.ts'

export interface ConfigDiff {
  /** Ids. */
  readonly workersAdded: readonly string[]
  readonly workersRemoved: readonly string[]
  /** Top-level keys that differ, by name. */
  readonly changed: readonly string[]
  /** Those of them that stay as they were until the process is started anew. */
  readonly needsRestart: readonly string[]
}

/** Where the process listens, and where it writes its decision log, was settled when it started. */
const UNTIL_RESTART: readonly string[] = ['host', 'port', 'decision_log']

export function diffConfigs(before: Config, after: Config): ConfigDiff {
  const idsBefore = before.workers.map(({ id }) => id)
  const idsAfter = after.workers.map(({ id }) => id)
  const changed = changedSections(before.document.sections, after.document.sections)
  return {
    workersAdded: idsAfter.filter((id) => !idsBefore.includes(id)),
    workersRemoved: idsBefore.filter((id) => !idsAfter.includes(id)),
    changed,
    needsRestart: changed.filter((name) => UNTIL_RESTART.includes(name)),
  }
}

type Sections = Config['document']['sections']

function changedSections(before: Sections, after: Sections): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].filter((name) => before[name] !== after[name]).sort()
}
