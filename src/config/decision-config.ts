// Decisions and their signals as the rest of the router sees them: which model takes what kind of request.

import type { DecisionRule, DecisionStrategy } from '../routing/decision-rules.ts'
import type { EdgeRules } from '../routing/signals/edge-signals.ts'
import type { EdgeSignal, SignalFamily } from '../routing/signals/signal.ts'
import type { RouterReplayConfig } from './config.ts'
import type { ServerSignalRules } from './server-signal-schema.ts'

/** A model that a decision may pick. */
export interface ModelRef {
  /** As the workers serve it: the adapter's name where one is named. */
  readonly model: string
  /** The model that the adapter belongs to, else the same; its reasoning family counts. */
  readonly baseModel: string
  readonly usesReasoning: boolean
  readonly reasoningEffort: ReasoningEffort | null
  /** Null where the order decides. */
  readonly weight: number | null
}

export type ReasoningEffort = 'low' | 'medium' | 'high'

/** How a model is told to reason, or not to. */
export type ReasoningFamily =
  | { readonly kind: 'reasoning_effort' }
  /** A switch of the model's chat template, by its name. */
  | { readonly kind: 'chat_template_kwargs'; readonly parameter: string }

export interface SystemPromptConfig {
  readonly text: string
  /** `insert` puts it before what the request says itself. */
  readonly mode: 'replace' | 'insert'
}

/** Changes to the headers that workers get, names in lower case. */
export interface HeaderMutationConfig {
  /** Where the request has no such header. */
  readonly add: Readonly<Record<string, string>>
  readonly update: Readonly<Record<string, string>>
  readonly delete: readonly string[]
}

/** What Router Replay records of requests that a decision takes; where it keeps that is the router's. */
export type ReplayPluginConfig = Pick<
  RouterReplayConfig,
  'isEnabled' | 'maxRecords' | 'capturesRequestBody' | 'capturesResponseBody' | 'maxBodyBytes' | 'ttlMs' | 'isAsync'
>

/** Answers to similar requests of a decision. */
export interface SemanticCachePluginConfig {
  readonly isEnabled: boolean
  /** Null for that of `semantic_cache`; so is the time. */
  readonly similarityThreshold: number | null
  readonly ttlMs: number | null
}

/** At most one of each type; null where there is none. */
export interface DecisionPlugins {
  readonly routerReplay: ReplayPluginConfig | null
  readonly semanticCache: SemanticCachePluginConfig | null
  readonly systemPrompt: SystemPromptConfig | null
  readonly headerMutation: HeaderMutationConfig | null
}

export interface DecisionConfig extends DecisionRule {
  readonly description: string | null
  readonly models: readonly ModelRef[]
  readonly plugins: DecisionPlugins
}

export interface DecisionsConfig {
  readonly rules: readonly DecisionConfig[]
  readonly strategy: DecisionStrategy
  /** Names that ask the router to choose. */
  readonly autoModels: readonly string[]
  /** `all`: whatever model a request names. */
  readonly decideOn: 'auto' | 'all'
  /** How long a request waits for signals that take a server. */
  readonly signalTimeoutMs: number
  /** By model; others are told by `reasoning_effort`. */
  readonly reasoningFamilies: Readonly<Record<string, ReasoningFamily>>
}

/** The rules of every family, as data. */
export interface SignalRules extends EdgeRules {
  readonly server: ServerSignalRules
}

/** Signals that the request alone answers, made ready. */
export interface ReadySignals {
  readonly edge: readonly EdgeSignal[]
  /** What decisions ask about, each once. */
  readonly asked: readonly { readonly family: SignalFamily; readonly name: string }[]
  /** A digest of each rule by its key: under another digest the same name asks something else. */
  readonly digests: Readonly<Record<string, string>>
}
