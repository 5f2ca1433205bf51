// The log of a router that serves: JSON for programs, text for people at a terminal; and what it says when it starts.

import type { Config } from '../config/config.ts'
import { toEntry } from '../observe/log/entry.ts'
import { formatFor, toJsonLine, toTextLine } from '../observe/log/entry-text.ts'
import { isWanted } from '../observe/log/log.ts'
import type { LogEntry } from '../platform.ts'
import { ROUTER_VERSION } from '../version.ts'
import type { Host, RuntimeName } from './host.ts'

export interface ServeLog {
  /** Writes an entry where its level is wanted. */
  write(entry: LogEntry): void
  /** The same for an entry that comes as a line of JSON. */
  writeJson(line: string): void
}

/** `config` is asked for each entry: a reload may change the format. */
export function openServeLog(
  host: Pick<Host, 'outTerminal' | 'env' | 'writeLine'>,
  config: () => Pick<Config, 'log'>,
): ServeLog {
  const { outTerminal, writeLine } = host
  // https://no-color.org
  const hasColors = outTerminal !== null && !isSet(host.env('NO_COLOR')) && host.env('TERM') !== 'dumb'
  const isText = () => formatFor(config().log.format, outTerminal !== null) === 'text'
  return {
    write(entry) {
      if (isWanted(entry.level, config())) writeLine(isText() ? toTextLine(entry, { hasColors }) : toJsonLine(entry))
    },
    writeJson(line) {
      // It was made by toJsonLine in the Worker beside this process.
      writeLine(isText() ? toTextLine(JSON.parse(line) as LogEntry, { hasColors }) : line)
    },
  }
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== ''
}

export interface Started {
  readonly runtime: RuntimeName
  readonly url: string
  readonly path: string
  readonly warnings: number
}

/** What runs, where, and by which configuration. */
export function startedEntry(nowMs: number, config: Config, { runtime, url, path, warnings }: Started): LogEntry {
  const { workers, policy, hash, log } = config
  return toEntry(nowMs, 'info', 'started', {
    url,
    version: ROUTER_VERSION,
    runtime,
    config: path,
    config_hash: hash,
    policy: policy.name,
    workers: workers.length,
    features: featuresOf(config),
    log_level: log.level,
    sample_ratio: log.sampleRatio,
    warnings,
  })
}

/** Names of the configuration's sections that are in use, beside the pool and its policy. */
function featuresOf(config: Config): readonly string[] {
  const used: Readonly<Record<string, boolean>> = {
    api_keys: config.tenants.length > 0,
    inbound_api_key: config.inboundKeyDigest !== null,
    admin_keys: config.adminKeys.length > 0,
    pre_routing_hooks: config.hooks.length > 0,
    model_rules: config.modelRules.length > 0,
    decisions: config.decisions !== null,
    semantic_cluster: config.semanticCluster !== null,
    cache: config.responseCache !== null,
    semantic_cache: config.semanticCache !== null,
    prompt_cache: config.promptCache !== null,
    shared_prefix_routing: config.sharedPrefixes !== null,
    decision_log: config.decisionLog.exportPath !== null,
    router_replay: config.routerReplay.isEnabled,
    state: config.sharedState !== null,
    trace_config: config.traces !== null,
    hedge: config.hedge !== null,
  }
  return Object.keys(used).filter((name) => used[name])
}
