// What a change of the configuration changed, for the operator who made it.

import type { Config } from '../config/config.ts'

export interface ConfigDiff {
  /** Ids. */
  readonly workersAdded: readonly string[]
  readonly workersRemoved: readonly string[]
  /** Top-level keys that differ, by name. */
  readonly changed: readonly string[]
  /** Keys that stay as they were until the process is started anew, from this change or an earlier one. */
  readonly needsRestart: readonly string[]
}

/** Where the process listens and shares its state was settled when it started. */
const UNTIL_RESTART: readonly string[] = ['host', 'port', 'state']

/** What the router began with. */
export interface Started {
  readonly config: Config
  /** Whether it keeps its decision log in a file, which stays the one that was opened. */
  readonly hasFile: boolean
}

/** `started` is the configuration before, where nothing came before that. */
export function diffConfigs(
  before: Config,
  after: Config,
  started: Started = { config: before, hasFile: true },
): ConfigDiff {
  const idsBefore = before.workers.map(({ id }) => id)
  const idsAfter = after.workers.map(({ id }) => id)
  return {
    workersAdded: idsAfter.filter((id) => !idsBefore.includes(id)),
    workersRemoved: idsBefore.filter((id) => !idsAfter.includes(id)),
    changed: changedSections(before.document.sections, after.document.sections),
    needsRestart: waitingForRestart(started, after),
  }
}

/** Goes by what the process began with: a later change does not make an earlier one come. */
function waitingForRestart({ config, hasFile }: Started, after: Config): string[] {
  const changed = changedSections(config.document.sections, after.document.sections)
  const isMoved = hasFile && config.decisionLog.exportPath !== after.decisionLog.exportPath
  return changed.filter((name) => UNTIL_RESTART.includes(name) || (name === 'decision_log' && isMoved))
}

type Sections = Config['document']['sections']

function changedSections(before: Sections, after: Sections): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].filter((name) => before[name] !== after[name]).sort()
}
