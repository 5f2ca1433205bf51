// Whoever answers what decisions ask of servers: one source for each family that has rules and a server.

import { identityOf } from '../secret.ts'
import type { Config, SignalServersConfig } from '../config/config.ts'
import type { ServerSignalRules } from '../config/server-signal-schema.ts'
import type { Platform } from '../platform.ts'
import { judgedPart } from '../routing/judged-part.ts'
import { embeddingOutcome } from '../routing/signals/embedding.ts'
import type { SignalOutcome, SignalSource } from '../routing/signals/signal.ts'
import type { EmbedderPlatform } from '../upstream/embeddings.ts'
import type { Embedders } from '../upstream/embedders.ts'
import type { Span } from '../tracing/request-trace.ts'
import { createLabeller, type Labeller } from '../upstream/labels.ts'
import { ReferenceShelf, type ReferenceStatus } from '../upstream/reference-vectors.ts'
import type { ReferenceChange } from './cluster-index.ts'
import type { Exchange } from './exchange.ts'
import { labelFamilies, type LabelFamily, labelSource } from './label-sources.ts'
import { embedRequestText } from './request-embedding.ts'
import type { VectorKeeper } from './vector-keeper.ts'
import { type SteppedExchange, traceFor } from './step.ts'

/** What of a request its sources work with. */
export type AskingExchange = Pick<Exchange, 'embeddings' | 'context'> & SteppedExchange

export interface SignalServers {
  /** The sources for one request; `clientSignal` fires when its caller is gone, `span` is the one they belong to. */
  sources(exchange: AskingExchange, clientSignal: AbortSignal, span: Span | null): readonly SignalSource[]
  /** Has candidates' vectors computed where no request has to begin that. */
  warm(): void
  /** How it stands with the vectors of candidates; null where no rule has any. */
  status(): ReferenceStatus | null
}

export interface SignalServerParts {
  readonly platform: EmbedderPlatform & Pick<Platform, 'wakesAcrossRequests'>
  readonly embedders: Embedders
  readonly vectorKeeper: VectorKeeper
  onChange(change: ReferenceChange): void
}

type SignalConfig = Pick<Config, 'signalServers' | 'signalRules'>

/** Those of a configuration; the earlier ones, with what they know, where neither rules nor servers have changed. */
export function signalServersFor(
  config: SignalConfig,
  parts: SignalServerParts,
  earlier: readonly [SignalConfig, SignalServers] | null,
): SignalServers {
  const textOf = ({ signalServers, signalRules }: SignalConfig) => identityOf([signalServers, signalRules.server])
  if (earlier !== null && textOf(earlier[0]) === textOf(config)) return earlier[1]
  return createSignalServers(config, parts)
}

function createSignalServers(
  { signalServers, signalRules: { server: rules } }: SignalConfig,
  parts: SignalServerParts,
): SignalServers {
  // Vectors are had of texts alone: rules about images are asked of nobody, and stay unknown.
  const ofTexts = rules.embeddings.filter((rule) => rule.query_modality !== 'image')
  const embedding = createEmbeddingSource(signalServers.embedding, ofTexts, parts)
  const labelled = labelFamilies(rules).flatMap((family) => withServer(family, signalServers, parts))
  return {
    sources: (exchange, clientSignal, span) => [
      ...(embedding === null ? [] : [embedding.source(exchange, clientSignal, span)]),
      ...labelled.map(({ family, server, labeller }) => {
        const { waitUntil } = exchange.context
        return labelSource(family, { server, labeller, clientSignal, waitUntil, trace: () => traceFor(exchange, span) })
      }),
    ],
    warm: () => embedding?.shelf.warm(),
    status: () => embedding?.shelf.status() ?? null,
  }
}

function withServer(family: LabelFamily, servers: SignalServersConfig, { platform }: SignalServerParts) {
  const server = servers[family.family]
  if (server === null) return []
  const labeller: Labeller = createLabeller(server, platform)
  return [{ family, server, labeller }]
}

function createEmbeddingSource(
  config: SignalServersConfig['embedding'],
  rules: ServerSignalRules['embeddings'],
  parts: SignalServerParts,
) {
  if (config === null || rules.length === 0) return null
  const { server, timeoutMs: budgetMs } = config
  const shelf = new ReferenceShelf({
    texts: [...new Set(rules.flatMap(({ candidates }) => candidates))],
    embedder: parts.embedders.of(server),
    kept: parts.vectorKeeper.of(server),
    platform: parts.platform,
    onChange: (status) => parts.onChange({ of: 'signals.embeddings', status }),
  })
  const source = (exchange: AskingExchange, signal: AbortSignal, span: Span | null): SignalSource => ({
    family: 'embedding',
    names: rules.map(({ name }) => name),
    async ask(request, wanted) {
      const asked = rules.filter(({ name }) => wanted.includes(name))
      const all = (outcome: SignalOutcome) => new Map(asked.map(({ name }) => [name, outcome]))
      if (request.text.trim() === '') return all({ kind: 'not_matched', because: 'no text' })
      const text = judgedPart(request.text)
      const [vectors, embedded] = await Promise.all([
        shelf.ensure({ waitUntil: exchange.context.waitUntil, budgetMs }),
        embedRequestText(parts, exchange, { server, text, budgetMs, signal, below: span }),
      ])
      if (embedded.kind === 'failure') return all({ kind: 'unknown', because: embedded.reason })
      if (vectors === null) return all({ kind: 'unknown', because: 'candidates_not_ready' })
      const { vector } = embedded
      const outcomes = asked.map((rule) => [rule.name, embeddingOutcome(rule, vector, vectors)] as const)
      const isOtherModel = outcomes.some(([, { because }]) => because === 'dimension_mismatch')
      if (isOtherModel) shelf.drop(vector.length)
      return new Map(outcomes)
    },
  })
  return { shelf, source }
}
