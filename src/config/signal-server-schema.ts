// `signal_servers`: who answers for the families of signals that take a server, and what of an answer is a match.

import { toSecret } from '../secret.ts'
import * as z from 'zod'
import type { EmbeddingServerConfig, LabelServerConfig, SignalServersConfig } from './config.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { foldedLabel } from '../routing/signals/labels.ts'
import type { Partly } from './check-section.ts'
import { errorAt, type Path, type Problem, warningAt } from './finding.ts'
import { list, text, wholeNumber } from './scalars.ts'
import type { ServerSignalRules } from './server-signal-schema.ts'
import { secretString } from './schema-walk.ts'
import { hookUrl } from './worker-url.ts'

/** Longest wait for a server; what a request waits for all of them together is `signal_timeout_ms`. */
const LONGEST_MS = 60_000

const THRESHOLD_FORM = 'must be a number from 0 to 1'

const serverShape = {
  /** Base URL; the path of the question follows it. */
  url: hookUrl('api_key').optional(),
  /** Bearer key sent to the server. */
  api_key: secretString().nullable().default(null),
  model: text().default('default'),
  timeout_ms: wholeNumber(1, LONGEST_MS).default(500),
}

const embeddingSchema = z.strictObject({
  ...serverShape,
  /** A binding that runs models, such as Workers AI, in the place of a URL. */
  binding: text().meta({ reaches: 'binding' }).optional(),
})

function labelSchema(threshold: number) {
  return z.strictObject({
    ...serverShape,
    /** `classify` asks a classifier's /classify; `chat` has a chat model name one of the labels. */
    type: z.enum(['classify', 'chat']).default('classify'),
    /** Classes of a classifier in its order: vLLM names the likeliest only. */
    labels: list(text(), '[math, physics]')
      .min(1, { error: 'lists no label; remove the line' })
      .nullable()
      .default(null),
    /** Score from which a label counts. */
    threshold: z
      .number({ error: THRESHOLD_FORM })
      .min(0, { error: THRESHOLD_FORM })
      .max(1, { error: THRESHOLD_FORM })
      .default(threshold),
  })
}

export const signalServersSchema = z.strictObject({
  embedding: embeddingSchema.optional(),
  domain: labelSchema(0.5).optional(),
  fact_check: labelSchema(0.7).optional(),
  user_feedback: labelSchema(0.5).optional(),
  preference: z.strictObject(serverShape).optional(),
})

type Section = z.output<typeof signalServersSchema>
type LabelSection = NonNullable<Section['domain']>

export function toSignalServers(section: Section): SignalServersConfig {
  const { embedding, domain, fact_check: factCheck, user_feedback: userFeedback, preference } = section
  const plain = preference && { ...preference, type: 'chat' as const, labels: null, threshold: 0.5 }
  return {
    embedding: embedding === undefined ? null : { server: toEmbedding(embedding), timeoutMs: embedding.timeout_ms },
    domain: toLabels(domain),
    fact_check: toLabels(factCheck),
    user_feedback: toLabels(userFeedback),
    preference: toLabels(plain),
  }
}

function toEmbedding({
  url,
  binding,
  model,
  api_key: apiKey,
}: NonNullable<Section['embedding']>): EmbeddingServerConfig {
  return { url: url ?? null, binding: binding ?? null, model, apiKey: toSecret(apiKey) }
}

function toLabels(section: LabelSection | undefined): LabelServerConfig | null {
  if (section?.url === undefined) return null
  const { url, model, api_key: apiKey, timeout_ms: timeoutMs, type: kind, labels, threshold } = section
  return { kind, url, model, apiKey: toSecret(apiKey), timeoutMs, labels, threshold }
}

/** Families that take a server, by the section of `signals` that has their rules. */
const FAMILIES = {
  embeddings: 'embedding',
  domains: 'domain',
  fact_check: 'fact_check',
  user_feedbacks: 'user_feedback',
  preferences: 'preference',
} as const

/** Checks that every server can be had, and that rules have one. */
export function checkSignalServers({ file, bindings }: Pick<CrossCheckInput, 'file' | 'bindings'>): Problem[] {
  const servers = file.signal_servers ?? {}
  const signals = file.routing?.signals ?? file.signals ?? {}
  const place = file.routing?.signals === undefined ? ['signals'] : ['routing', 'signals']
  const unserved = Object.entries(FAMILIES).flatMap(([section, family]) => {
    const rules = Object.entries(signals).find(([name]) => name === section)?.[1]
    const hasRules = Array.isArray(rules) && rules.length > 0
    if (!hasRules || family in servers) return []
    const message = `takes a server, and signal_servers.${family} names none: it stays unknown, and conditions on it never hold`
    return [warningAt([...place, section], message)]
  })
  const unreachable = Object.entries(servers).flatMap(([family, server]) => {
    if (server === undefined || 'url' in server || 'binding' in server) return []
    return [errorAt(['signal_servers', family], 'has no url; add one, such as http://10.0.0.9:8000')]
  })
  const strange = [...labelProblems(servers, signals, place), ...idleFields(signals, place)]
  return [...unserved, ...strange, ...unreachable, ...embeddingProblems(servers.embedding ?? {}, bindings)]
}

/** Fields that the semantic router's configurations have, and that change nothing here. */
function idleFields(signals: Partly<ServerSignalRules>, place: Path): Problem[] {
  const { embeddings = [], domains = [], preferences = [] } = signals
  const images = embeddings.flatMap((rule, index) => {
    if (rule?.query_modality !== 'image') return []
    const message = 'images are not embedded here: it stays unknown, and conditions on it never hold'
    return [warningAt([...place, 'embeddings', index, 'query_modality'], message)]
  })
  const scores = domains.flatMap((rule, index) => {
    if (rule?.model_scores === undefined) return []
    return [
      warningAt([...place, 'domains', index, 'model_scores'], 'has no effect: modelRefs of a decision name its models'),
    ]
  })
  const thresholds = preferences.flatMap((rule, index) => {
    if (rule?.threshold === undefined) return []
    return [
      warningAt([...place, 'preferences', index, 'threshold'], 'has no effect: the server names a route, and no score'),
    ]
  })
  return [...images, ...scores, ...thresholds]
}

/** Families whose rules are labels of a classifier. */
const LABELLED = { domains: 'domain', fact_check: 'fact_check', user_feedbacks: 'user_feedback' } as const

/** A classifier whose classes are written down never gives any other. */
function labelProblems(servers: Partly<Section>, signals: Partly<ServerSignalRules>, place: Path): Problem[] {
  return Object.entries(LABELLED).flatMap(([section, family]) => {
    const server = servers[family]
    const rules = signals[section as keyof typeof LABELLED] // a key of it, by the line above
    if (server?.type !== 'classify' || !Array.isArray(server.labels) || !Array.isArray(rules)) return []
    const known = new Set(server.labels.map(foldedLabel))
    return rules.flatMap((rule: { readonly name: string; readonly mmlu_categories?: readonly string[] }, index) => {
      const stands = rule.mmlu_categories ?? [rule.name]
      if (stands.some((label) => known.has(foldedLabel(label)))) return []
      const message = `stands for ${stands.join(', ')}, none of which signal_servers.${family}.labels lists; it never matches`
      return [warningAt([...place, section, index], message)]
    })
  })
}

function embeddingProblems(
  server: object & { readonly binding?: string | undefined },
  bindings: readonly string[] | null,
): Problem[] {
  const path = ['signal_servers', 'embedding', 'binding']
  if ('url' in server && 'binding' in server)
    return [errorAt(path, 'is a second server beside url; keep one of the two')]
  const { binding } = server
  if (binding === undefined || bindings === null || bindings.includes(binding)) return []
  const known = bindings.length === 0 ? 'this runtime has none' : `bindings: ${bindings.join(', ')}`
  return [errorAt(path, `no binding is called "${binding}"; ${known}`)]
}
