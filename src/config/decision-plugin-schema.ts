// Plugins of decisions: what each type's `configuration` can say, and what they become.

import * as z from 'zod'
import type { DecisionPlugins, HeaderMutationConfig } from './decision-config.ts'
import { isHeaderName } from './http-values.ts'
import { didYouMean } from './nearest.ts'
import { replayPluginShape } from './router-replay-schema.ts'
import { flag, list, text } from './scalars.ts'

const THRESHOLD = 'must be a number from 0 to 1, such as 0.9'

/** Headers that belong to one connection, to the router, or hold credentials. */
const UNTOUCHABLE: readonly string[] = [
  'accept-encoding',
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-api-key',
  'x-data-parallel-rank',
  'x-request-id',
]

const headerName = () =>
  z.string({ error: 'must be a header name such as x-team' }).transform((value, context): string => {
    const name = value.toLowerCase()
    const message = !isHeaderName(name)
      ? 'is no header name; write it like x-team'
      : UNTOUCHABLE.includes(name)
        ? "can't be changed: it belongs to the connection, to the router, or holds a key"
        : null
    if (message === null) return name
    context.issues.push({ code: 'custom', message, input: value })
    return z.NEVER
  })

const header = z.strictObject({
  name: headerName(),
  value: z
    .string({ error: 'must be text; put quotes around numbers' })
    .regex(/^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/, {
      error: 'must be visible ASCII without spaces at its ends',
    }),
})

/** The fields of each type. */
const FIELDS = {
  router_replay: [
    'enabled',
    'max_records',
    'capture_request_body',
    'capture_response_body',
    'max_body_bytes',
    'ttl_seconds',
    'async_writes',
  ],
  'semantic-cache': ['enabled', 'similarity_threshold', 'ttl_seconds'],
  system_prompt: ['enabled', 'system_prompt', 'mode'],
  header_mutation: ['enabled', 'add', 'update', 'delete'],
} as const satisfies Record<string, readonly string[]>

type PluginType = keyof typeof FIELDS

/** Other names of the same type. */
const ALIASES: Readonly<Record<string, PluginType>> = {
  'router-replay': 'router_replay',
  semantic_cache: 'semantic-cache',
  'system-prompt': 'system_prompt',
  'header-mutation': 'header_mutation',
}

const type = z.preprocess(
  (value) => (typeof value === 'string' ? (ALIASES[value] ?? value) : value),
  z.enum(['router_replay', 'semantic-cache', 'system_prompt', 'header_mutation']),
)

/** One shape for all types: what belongs to which is checked, and errors keep their place. */
const configuration = z.strictObject({
  enabled: flag().optional(),
  ...replayPluginShape,
  similarity_threshold: z
    .number({ error: THRESHOLD })
    .min(0, { error: THRESHOLD })
    .max(1, { error: THRESHOLD })
    .optional(),
  system_prompt: text().optional(),
  mode: z.enum(['replace', 'insert']).optional(),
  add: list(header, '[{name: x-team, value: search}]').optional(),
  update: list(header, '[{name: x-team, value: search}]').optional(),
  delete: list(headerName(), '[x-team]').optional(),
})

type Configuration = z.output<typeof configuration>

export const pluginSchema = z
  .strictObject({ type, configuration: configuration.prefault({}) })
  .check(({ value: plugin, issues }) => {
    if (issues.length > 0) return
    const allowed: readonly string[] = FIELDS[plugin.type]
    for (const field of Object.keys(plugin.configuration)) {
      if (allowed.includes(field)) continue
      const message = `is no field of ${plugin.type}${didYouMean(field, allowed)}; it takes ${allowed.join(', ')}`
      issues.push({ code: 'custom', path: ['configuration', field], message, input: plugin })
    }
    const needed = neededField(plugin.type, plugin.configuration)
    if (needed !== null) issues.push({ code: 'custom', path: ['configuration'], message: needed, input: plugin })
  })

function neededField(of: PluginType, { enabled, system_prompt: prompt, add, update, delete: gone }: Configuration) {
  if (enabled === false) return null
  if (of === 'system_prompt' && prompt === undefined) return 'needs system_prompt: the text'
  const isIdle = of === 'header_mutation' && add === undefined && update === undefined && gone === undefined
  return isIdle ? 'changes no header; give it add, update or delete' : null
}

type PluginSection = z.output<typeof pluginSchema>

/** What is switched off is as if it were not there; but for Router Replay, which may be on for all. */
export function toPlugins(plugins: readonly PluginSection[]): DecisionPlugins {
  const find = (of: PluginType) => plugins.find((plugin) => plugin.type === of)?.configuration ?? null
  const active = (of: PluginType) => {
    const found = find(of)
    return found?.enabled === false ? null : found
  }
  const prompt = active('system_prompt')
  const mutation = active('header_mutation')
  return {
    routerReplay: toReplay(find('router_replay')),
    semanticCache: toSemanticCache(find('semantic-cache')),
    systemPrompt: prompt?.system_prompt ? { text: prompt.system_prompt, mode: prompt.mode ?? 'replace' } : null,
    headerMutation: mutation && toMutation(mutation),
  }
}

function toReplay(section: Configuration | null): DecisionPlugins['routerReplay'] {
  if (section === null) return null
  const ttl = section.ttl_seconds ?? null
  return {
    isEnabled: section.enabled ?? true,
    maxRecords: section.max_records ?? 200,
    capturesRequestBody: section.capture_request_body ?? false,
    capturesResponseBody: section.capture_response_body ?? false,
    maxBodyBytes: section.max_body_bytes ?? 4_096,
    ttlMs: ttl === null ? null : ttl * 1000,
    isAsync: section.async_writes ?? false,
  }
}

function toSemanticCache(section: Configuration | null): DecisionPlugins['semanticCache'] {
  if (section === null) return null
  const ttl = section.ttl_seconds ?? null
  return {
    isEnabled: section.enabled ?? true,
    similarityThreshold: section.similarity_threshold ?? null,
    ttlMs: ttl === null ? null : ttl * 1000,
  }
}

function toMutation({ add = [], update = [], delete: gone = [] }: Configuration): HeaderMutationConfig {
  const entries = (headers: readonly { readonly name: string; readonly value: string }[]) =>
    Object.fromEntries(headers.map(({ name, value }) => [name, value]))
  return { add: entries(add), update: entries(update), delete: [...new Set(gone)] }
}
