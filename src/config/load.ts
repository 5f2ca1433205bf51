// YAML text to Config: reads, replaces placeholders, checks everything and reports every problem in one pass.
// Neither files nor the environment are touched here; both come in.

import type { PolicyRegistry } from '../routing/policy.ts'
import { buildConfig } from './build.ts'
import { checkSection, type Partly } from './check-section.ts'
import type { Config } from './config.ts'
import { crossCheck, type CrossCheckInput } from './cross-checks.ts'
import { checkDelivered, type DeliveredBeside } from './delivered-checks.ts'
import { valueAt } from './explain.ts'
import { byPlace, errorAt, formatPath, pathKey, type Finding, type Path, type Problem } from './finding.ts'
import { OWN_PATHS } from './http-values.ts'
import { interpolate } from './interpolate.ts'
import { checkLogEnvironment, withLogEnvironment } from './log-schema.ts'
import { ruleTargets, type RuleTarget } from './model-rule-checks.ts'
import { readPolicy } from './policy-section.ts'
import { poolOf, type PoolEntry } from './pool.ts'
import { readYaml, type YamlTree } from './read-yaml.ts'
import type { ReplayPlatform } from './router-replay-checks.ts'
import { configSchema, type ConfigFile } from './schema.ts'
import { withMetricsEnvironment } from './metrics-environment.ts'
import { withTraceEnvironment } from './trace-environment.ts'
import { HARMLESS_KEYS, setAside } from './unavailable.ts'

const MAX_FINDINGS = 200

export interface LoadOptions {
  /** Reads the environment or the Worker's secrets. */
  readonly env: (name: string) => string | undefined
  readonly policies: PolicyRegistry
  /** How messages call the file; `the configuration` when left out. */
  readonly source?: string
  /** What the runtime can do (`Platform.showsConnectPhase`); when known to be false, a note says what that means. */
  readonly showsConnectPhase?: boolean
  /** Names of the bindings the runtime has; left out, `workers[].binding` is taken on trust. */
  readonly bindings?: readonly string[]
  /** Names of the KV namespaces it has; left out, those it has are taken to be among `bindings`. */
  readonly kvNamespaces?: readonly string[]
  /** What Router Replay can keep records in; left out, `router_replay.store_backend` is taken on trust. */
  readonly replayPlatform?: ReplayPlatform
  /** Whether the runtime can open connections of any kind; left out, `state.redis_url` is taken on trust. */
  readonly hasSockets?: boolean
  /** The running configuration, when this one came through the admin API beside it; it bounds what this one may do. */
  readonly besides?: DeliveredBeside
  /** Paths that `passthrough_paths` can't open, `/*` at the end for all below; the built-in routes when left out. */
  readonly ownPaths?: readonly string[]
}

/** Where the file says what the configuration has. */
export interface ConfigPlaces {
  /** The entry that describes a worker, by the worker's id. */
  readonly workers: ReadonlyMap<string, Path>
  /** Bare URLs in `mode.worker_urls`, in their normal form, beside their place. */
  readonly bareUrls: readonly { readonly url: string; readonly path: Path }[]
  readonly ruleTargets: readonly RuleTarget[]
}

export type LoadResult =
  | {
      readonly ok: true
      readonly config: Config
      readonly findings: readonly Finding[]
      readonly places: ConfigPlaces
      /** Gives problems found later, such as by asking the workers, their place in the text. */
      place(problems: readonly Problem[]): readonly Finding[]
    }
  | { readonly ok: false; readonly findings: readonly Finding[] }

/** Loads a configuration. Never throws for what is in the text; warnings and notes come with a good one too. */
export async function loadConfig(text: string, options: LoadOptions): Promise<LoadResult> {
  const read = readYaml(text)
  if (!read.ok) return read
  const { value } = read.tree
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, findings: [...place([notAMap(value, options)], read.tree)] }
  }
  const checked = checkFile({ ...value }, options)
  const problems = [...read.tree.problems, ...checked.problems, ...checkLogEnvironment(options.env)]
  const findings = place(problems, read.tree)
  if (checked.build === null || problems.some(({ severity }) => severity === 'error')) return { ok: false, findings }
  const { places } = checked
  const built = await checked.build()
  const config = { ...built, log: withLogEnvironment(built.log, options.env) }
  return { ok: true, config, findings, places, place: (later) => place(later, read.tree) }
}

function notAMap(value: unknown, { source = 'the configuration' }: LoadOptions): Problem {
  const example = 'the least it takes is workers: [{url: "http://10.0.0.7:8000"}]'
  return errorAt([], `${source} ${value === null ? 'is empty' : 'is no map of keys and values'}; ${example}`)
}

interface CheckedFile {
  readonly problems: readonly Problem[]
  readonly places: ConfigPlaces
  /** Builds the Config; null when a part of it is missing. */
  readonly build: (() => Promise<Config>) | null
}

function checkFile(tree: Readonly<Record<string, unknown>>, options: LoadOptions): CheckedFile {
  const { rest, problems: unavailable } = setAside(
    withMetricsEnvironment(withTraceEnvironment(tree, options.env), options.env),
  )
  const {
    value,
    wholes,
    problems: unresolved,
  } = interpolate(rest, { env: options.env, names: options.besides?.configEnv ?? null })
  const known = new Set(unresolved.map(({ path }) => pathKey(path)))
  const schema = configSchema
  const file = checkSection({ schema, value, base: [], wholes, known, alsoKnown: HARMLESS_KEYS })
  const policy = readPolicy(valueAt(value, ['policy']), options.policies, { wholes, known })
  const found = [...unavailable, ...unresolved, ...file.problems, ...policy.problems]

  const part = file.part ?? {}
  const pool = poolOf(part)
  const isPoolComplete = !found.some(hidesWorker)
  const cross = crossCheck({
    ...contextOf(value, options),
    file: part,
    pool,
    policyType: policy.type,
    policyNeeds: policy.chosen?.policy.needs ?? null,
    isPoolComplete,
  })
  const delivered =
    options.besides === undefined ? [] : checkDelivered(options.besides, { file: part, pool, policy: policy.chosen })
  const problems = [...found, ...cross, ...delivered, ...connectNote(value, options)]

  const { data } = file
  const { chosen } = policy
  const build = data === null || chosen === null ? null : () => buildConfig(data, pool, chosen)
  return { problems, places: placesOf(part, pool), build }
}

function placesOf(file: Partly<ConfigFile>, pool: readonly PoolEntry[]): ConfigPlaces {
  const { model_rules: rules = [] } = file
  return {
    workers: new Map(pool.map(({ worker, path }) => [worker.id, path])),
    bareUrls: (file.mode?.worker_urls ?? []).flatMap((url, index) => {
      return url === undefined ? [] : [{ url, path: ['mode', 'worker_urls', index] }]
    }),
    ruleTargets: rules.flatMap((rule, index) => (rule === undefined ? [] : ruleTargets(rule, index))),
  }
}

// With a worker's URL or id refused, who is in the pool is not known; with its weight refused, it is.
function hidesWorker({ severity, path: [section, index, field] }: Problem): boolean {
  if (severity !== 'error') return false
  if (section === 'workers') return index === undefined || field === undefined || field === 'url' || field === 'id'
  return section === 'mode'
}

function contextOf(
  value: unknown,
  options: LoadOptions,
): Pick<CrossCheckInput, 'written' | 'ownPaths' | 'bindings' | 'kvNamespaces' | 'replayPlatform' | 'hasSockets'> {
  const timeouts = valueAt(value, ['timeouts'])
  return {
    written: { timeouts: new Set(typeof timeouts === 'object' && timeouts !== null ? Object.keys(timeouts) : []) },
    ownPaths: options.ownPaths ?? OWN_PATHS,
    bindings: options.bindings ?? null,
    kvNamespaces: options.kvNamespaces ?? options.bindings ?? null,
    replayPlatform: options.replayPlatform ?? null,
    hasSockets: options.hasSockets ?? null,
  }
}

function connectNote(value: unknown, { showsConnectPhase }: LoadOptions): Problem[] {
  const connect = valueAt(value, ['timeouts', 'connect'])
  if (showsConnectPhase !== false || connect === undefined) return []
  const message = 'this runtime does not show when a connection stands, so connect counts within first_byte'
  return [{ severity: 'note', path: ['timeouts', 'connect'], message }]
}

function place(problems: readonly Problem[], tree: YamlTree): Finding[] {
  const findings = problems.slice(0, MAX_FINDINGS).map(({ severity, path, message, atKey = false }): Finding => {
    const at = tree.locate(path, atKey)
    return { severity, path: formatPath(path), line: at?.line ?? null, column: at?.column ?? null, message }
  })
  const left = problems.length - findings.length
  const rest: Finding[] =
    left > 0 ? [{ severity: 'error', path: '', line: null, column: null, message: `and ${left} more problems` }] : []
  return [...findings.sort(byPlace), ...rest]
}
