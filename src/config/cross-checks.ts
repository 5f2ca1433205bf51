// What no single field can know: checks between the parts of a file.
// Each check sees the valid parts only, and says nothing about parts that are missing because they were refused.

import type { PolicyNeeds } from '../routing/policy.ts'
import { matchCovers } from '../routing/model-rules.ts'
import { checkAdminKeys } from './admin-checks.ts'
import { checkCallers } from './caller-checks.ts'
import type { Partly } from './check-section.ts'
import { checkDecisions } from './decision-checks.ts'
import { errorAt, formatPath, warningAt, withoutUserInfo, type Problem } from './finding.ts'
import { checkHooks } from './hook-checks.ts'
import { isOwnPath } from './http-values.ts'
import { checkLmcache } from './lmcache-checks.ts'
import { checkMetrics } from './metrics-schema.ts'
import { checkModelRules } from './model-rule-checks.ts'
import { workerNameOf, type PoolEntry } from './pool.ts'
import { checkResponseCache, checkSemanticCache } from './response-cache-schema.ts'
import { checkPromptCache } from './prompt-cache-schema.ts'
import { checkRetry } from './retry-checks.ts'
import { checkRouterReplay, type ReplayPlatform } from './router-replay-checks.ts'
import type { ConfigFile } from './schema.ts'
import { checkSemanticCluster } from './semantic-cluster-checks.ts'
import { checkSharedPrefixes } from './shared-prefix-schema.ts'
import { checkSignalServers } from './signal-server-schema.ts'
import { checkState } from './state-schema.ts'
import { checkTraces } from './trace-schema.ts'
import { fewCandidates } from './unavailable.ts'
import { unknownBinding } from './unknown-binding.ts'

/** What the checks look at. */
export interface CrossCheckInput {
  readonly file: Partly<ConfigFile>
  readonly pool: readonly PoolEntry[]
  /** The timeouts as written: a default never conflicts with anything. */
  readonly written: { readonly timeouts: ReadonlySet<string> }
  readonly policyType: string | null
  /** What the policy asks for; null while it is not known. */
  readonly policyNeeds: PolicyNeeds | null
  /** False when a worker was refused; then nothing can be said about workers that seem to be missing. */
  readonly isPoolComplete: boolean
  readonly ownPaths: readonly string[]
  /** Bindings the runtime has; null when not known. */
  readonly bindings: readonly string[] | null
  /** KV namespaces it has; null when not known. */
  readonly kvNamespaces: readonly string[] | null
  /** What Router Replay can keep records in; null when not known. */
  readonly replayPlatform: ReplayPlatform | null
  /** Whether the runtime can open connections of any kind; null when not known. */
  readonly hasSockets: boolean | null
}

/** Runs every check. */
export function crossCheck(input: CrossCheckInput): Problem[] {
  return CHECKS.flatMap((check) => check(input))
}

const CHECKS: readonly ((input: CrossCheckInput) => Problem[])[] = [
  checkPool,
  checkWorkerPaths,
  checkWorkerKeys,
  checkBindings,
  checkPaths,
  checkTimeouts,
  checkCallers,
  checkAdminKeys,
  checkChoice,
  checkDecisions,
  checkHooks,
  checkLmcache,
  checkMetrics,
  checkModelRules,
  checkResponseCache,
  checkSemanticCache,
  checkPromptCache,
  checkRetry,
  checkRouterReplay,
  checkSemanticCluster,
  checkSignalServers,
  checkSharedPrefixes,
  checkState,
  checkTraces,
]

function checkPool({ file, pool, isPoolComplete }: CrossCheckInput): Problem[] {
  if (pool.length === 0 && isPoolComplete) return [emptyPool(file)]
  const problems: Problem[] = []
  const byId = new Map<string, PoolEntry>()
  const byUrl = new Map<string, PoolEntry>()
  for (const entry of pool) {
    const { id, url, isNamed } = entry.worker
    const sameUrl = byUrl.get(url)
    const sameId = byId.get(id)
    if (sameUrl !== undefined && !(isNamed && sameUrl.worker.isNamed)) {
      const where = formatPath(sameUrl.path)
      problems.push(
        errorAt([...entry.path, 'url'], `is the URL of ${where} as well; remove one, or give each an id of its own`),
      )
    } else if (sameId !== undefined) {
      const where = formatPath(sameId.path)
      problems.push(errorAt([...entry.path, 'id'], `"${id}" already names ${where}; ids are unique in the pool`))
    }
    byUrl.set(url, sameUrl ?? entry)
    byId.set(id, sameId ?? entry)
  }
  return [...problems, ...repeatedUrls(file)]
}

function emptyPool(file: Partly<ConfigFile>): Problem {
  const path = (file.workers?.length ?? 0) === 0 && file.mode !== undefined ? ['mode', 'worker_urls'] : ['workers']
  return errorAt(path, 'there is no worker to route to; list at least one URL in mode.worker_urls or in workers')
}

function repeatedUrls(file: Partly<ConfigFile>): Problem[] {
  const urls = file.mode?.worker_urls ?? []
  return urls.flatMap((url, index) => {
    const first = url === undefined ? index : urls.indexOf(url)
    if (first === index) return []
    return [warningAt(['mode', 'worker_urls', index], `repeats mode.worker_urls[${first}]; it counts once`)]
  })
}

/** Clients write `…/v1`; the router puts the path of each route behind a worker's URL, and would ask for `/v1/v1/…`. */
function checkWorkerPaths({ pool }: CrossCheckInput): Problem[] {
  return pool.flatMap(({ worker, path }) => {
    if (!/[^/]\/v1$/.test(worker.url)) return []
    const message = 'ends with /v1, so requests go to /v1/v1/…; leave it out unless the worker is really there'
    return [warningAt(path.at(0) === 'workers' ? [...path, 'url'] : path, message)]
  })
}

function checkWorkerKeys({ file, pool, isPoolComplete }: CrossCheckInput): Problem[] {
  const takenBy = new Map<PoolEntry, string>()
  return Object.keys(file.worker_api_keys ?? {}).flatMap((name) => {
    const path = ['worker_api_keys', name]
    const url = workerNameOf(name)
    const entries = pool.filter(({ worker }) => worker.id === name || worker.url === url)
    if (entries.length === 0) return isPoolComplete ? [unknownWorker(name, pool)] : []
    if (entries.every(({ hasOwnKey }) => hasOwnKey)) {
      return [{ ...warningAt(path, `is not used: ${entries[0]?.worker.id} has an api_key of its own`), atKey: true }]
    }
    const twice = entries.find((entry) => takenBy.has(entry))
    for (const entry of entries) takenBy.set(entry, name)
    if (twice === undefined) return []
    return [{ ...errorAt(path, `gives ${twice.worker.id} a second key; keep one of the two`), atKey: true }]
  })
}

function unknownWorker(name: string, pool: readonly PoolEntry[]): Problem {
  const known = pool.slice(0, 8).map(({ worker }) => worker.id)
  const hint = name.includes('${') ? '; ${NAME} is replaced in values only, so use the id of the worker' : ''
  const message = `names no worker${hint}; workers: ${known.join(', ')}${pool.length > 8 ? ', …' : ''}`
  return { ...errorAt(['worker_api_keys', name], withoutUserInfo(message)), atKey: true }
}

function checkBindings({ pool, bindings }: CrossCheckInput): Problem[] {
  return pool.flatMap(({ worker, path }) => unknownBinding([...path, 'binding'], worker.binding, bindings))
}

function checkPaths({ file, ownPaths }: CrossCheckInput): Problem[] {
  return (file.passthrough_paths ?? []).flatMap((path, index) => {
    if (path === undefined || !isOwnPath(path, ownPaths)) return []
    return [errorAt(['passthrough_paths', index], `the router answers ${path} itself; list only paths beyond its own`)]
  })
}

function checkTimeouts({ file, written }: CrossCheckInput): Problem[] {
  const problems: Problem[] = []
  if (file.request_timeout_secs !== undefined && written.timeouts.has('total')) {
    problems.push(
      errorAt(['request_timeout_secs'], 'is the same as timeouts.total, which is set too; keep one of the two'),
    )
  }
  const { connect, first_byte, idle, total } = file.timeouts ?? {}
  const pairs = [
    { inner: 'connect', outer: 'first_byte', innerMs: connect, outerMs: first_byte },
    { inner: 'first_byte', outer: 'total', innerMs: first_byte, outerMs: total },
    { inner: 'idle', outer: 'total', innerMs: idle, outerMs: total },
  ]
  for (const { inner, outer, innerMs, outerMs } of pairs) {
    if (!written.timeouts.has(inner) || !written.timeouts.has(outer)) continue
    // Switched off is neither too long nor ended first.
    if ((innerMs ?? 0) <= (outerMs ?? Infinity)) continue
    problems.push(warningAt(['timeouts', inner], `is longer than timeouts.${outer}, which ends it first`))
  }
  return problems
}

function checkChoice({ file, pool, policyType, isPoolComplete }: CrossCheckInput): Problem[] {
  if (!isPoolComplete) return []
  const candidates = pool.reduce((sum, { worker }) => sum + worker.dataParallelSize, 0)
  const few = policyType === null ? null : fewCandidates(policyType, candidates)
  return [...(few === null ? [] : [few]), ...unlistedDefault(file, pool)]
}

function unlistedDefault(
  { default_model: model = null, model_rules: rules = [] }: Partly<ConfigFile>,
  pool: readonly PoolEntry[],
): Problem[] {
  if (model === null) return []
  // A rule without a condition takes it elsewhere; what rules lead to has a check of its own.
  if (rules.some((rule) => rule?.when === undefined && matchCovers(rule?.match ?? '', model))) return []
  // A worker without a list is asked for its models, and may have this one.
  const isUnlisted = pool.every(({ worker }) => worker.models?.includes(model) === false)
  return isUnlisted ? [warningAt(['default_model'], `no worker lists ${model} among its models`)] : []
}
