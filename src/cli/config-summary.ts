// A good configuration in short, for `validate`: as data and as text. No key is in it.

import type { Config, WorkerConfig } from '../config/config.ts'

const CONNECT_NOTE =
  'connect counts within first_byte on workerd, Deno and Bun; only Node times the connect phase apart'

/** As data, for programs. */
export function summaryOf(config: Config) {
  return {
    hash: config.hash,
    listen: `${config.host}:${config.port}`,
    policy: config.policy.name,
    workers: config.workers.map(({ id, url, models, weight, dataParallelSize, apiKey }) => {
      return { id, url, models, weight, data_parallel_size: dataParallelSize, has_api_key: apiKey !== null }
    }),
    default_model: config.defaultModel,
    model_rules: config.modelRules.map(({ match }) => match),
    ...decisionSummary(config),
    hooks: config.hooks.map(({ name }) => name),
    max_retries: config.retry.maxRetries,
    inbound_api_key: config.inboundKeyDigest === null ? 'not set' : 'set',
    tenants: config.tenants.map(({ name }) => name),
    timeouts_ms: {
      connect: config.timeouts.connectMs,
      first_byte: config.timeouts.firstByteMs,
      idle: config.timeouts.idleMs,
      total: config.timeouts.totalMs,
    },
    notes: [CONNECT_NOTE],
  }
}

/** The same for people, a line each. */
export function summaryLines(config: Config): string[] {
  const { connectMs, firstByteMs, idleMs, totalMs } = config.timeouts
  const times = [
    `connect ${formatTime(connectMs)}`,
    `first_byte ${formatTime(firstByteMs)}`,
    `idle ${formatTime(idleMs)}`,
    `total ${formatTime(totalMs)}`,
  ]
  return [
    ...decisionLines(config),
    `workers:  ${config.workers.length}`,
    ...config.workers.map((worker) => `  ${describeWorker(worker)}`),
    `models:   ${describeModels(config)}`,
    ...listLine(
      'rules:    ',
      config.modelRules.map(({ match }) => match),
    ),
    ...listLine(
      'hooks:    ',
      config.hooks.map(({ name }) => name),
    ),
    `policy:   ${config.policy.name}`,
    `retries:  ${config.retry.maxRetries} after the first attempt`,
    `timeouts: ${times.join(', ')}`,
    `access:   ${describeAccess(config)}`,
    `hash:     ${config.hash}`,
    `note:     ${CONNECT_NOTE}`,
  ]
}

/** As the semantic router counts them. */
function decisionSummary({ decisions, signalRules, workers }: Config) {
  const { server, ...edge } = signalRules
  const rules = decisions?.rules ?? []
  const plugins: Record<string, number> = {}
  for (const { plugins: own } of rules) {
    for (const [type, label] of PLUGIN_LABELS) if (own[type] !== null) plugins[label] = (plugins[label] ?? 0) + 1
  }
  const models = [
    ...workers.flatMap(({ models: listed }) => listed ?? []),
    ...rules.flatMap(({ models: refs }) => refs.map(({ model }) => model)),
  ]
  const lists: readonly (readonly unknown[])[] = [...Object.values(edge), ...Object.values(server)]
  return {
    decisions: rules.map(({ name }) => name),
    plugins,
    models: new Set(models).size,
    signals: lists.reduce((sum, list) => sum + list.length, 0),
  }
}

const PLUGIN_LABELS = [
  ['headerMutation', 'header_mutation'],
  ['routerReplay', 'router_replay'],
  ['semanticCache', 'semantic-cache'],
  ['systemPrompt', 'system_prompt'],
] as const

function decisionLines(config: Config): string[] {
  if (config.decisions === null) return []
  const { rules } = config.decisions
  const { plugins, models, signals } = decisionSummary(config)
  const total = Object.values(plugins).reduce((sum, count) => sum + count, 0)
  const holders = rules.filter(({ plugins: own }) => Object.values(own).some((plugin) => plugin !== null)).length
  const types = Object.entries(plugins)
    .map(([type, count]) => `${type}: ${count}`)
    .toSorted()
  return [
    `Decisions: ${rules.length}`,
    `Plugins: ${total} total (${holders} decisions)`,
    ...(types.length === 0 ? [] : [`  Types: ${types.join(', ')}`]),
    `Models: ${models}`,
    `Signals: ${signals}`,
  ]
}

function listLine(label: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [label + names.join(', ')]
}

function describeWorker({ id, url, isNamed, models, weight, dataParallelSize, apiKey, binding }: WorkerConfig): string {
  return [
    isNamed ? `${id} ${url}` : url,
    ...(models === null ? [] : [`models ${models.join(' ')}`]),
    ...(weight === 1 ? [] : [`weight ${weight}`]),
    ...(dataParallelSize === 1 ? [] : [`${dataParallelSize} data-parallel ranks`]),
    ...(binding === null ? [] : [`through binding ${binding}`]),
    ...(apiKey === null ? [] : ['with a key']),
  ].join(', ')
}

function describeModels({ workers, defaultModel }: Config): string {
  const named = [...new Set(workers.flatMap(({ models }) => models ?? []))].sort()
  const isLearned = workers.some(({ models }) => models === null)
  const parts = [...named, ...(isLearned ? ['learned from each worker'] : [])].join(', ')
  return defaultModel === null ? parts : `${parts} (default ${defaultModel})`
}

function describeAccess({ inboundKeyDigest, tenants, keyValidation, allowAnonymous }: Config): string {
  const keys = [
    ...(tenants.length === 0 ? [] : [`a key of ${tenants.map(({ name }) => name).join(', ')}`]),
    ...(inboundKeyDigest === null ? [] : ['inbound_api_key']),
    ...(keyValidation === null ? [] : ['a key that a validation service accepts']),
  ]
  if (keys.length > 0) return `callers need ${keys.join(', or ')}`
  return allowAnonymous ? 'open to everyone' : 'no key set; a deployed Worker refuses all requests until one is'
}

function formatTime(milliseconds: number | null): string {
  if (milliseconds === null) return 'off'
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`
}
