// The contract of a routing policy, and of the registry that YAML names are looked up in.
// Everything in this folder is pure: no fetch, no clock, no randomness of its own, no environment.

import type { Secret } from '../secret.ts'
import type * as z from 'zod'
import type { LmcacheFact, PrefixFact } from './cache-facts.ts'

/**
 * Whether a worker can take requests as far as the router knows. `up`, and `unknown` (nobody has asked it yet), take what
 * comes. `half_open` takes a request from a holder of a permit, to see whether it has recovered. `suspect`: a request or a
 * first probe failed there lately. `ejected`: probes fail there, or too many requests did. `down`: it refuses
 * connections. `open`: requests failed there one after the other. `hung`: it has work and delivers nothing. `asleep`: it
 * says so itself. `draining` and `parked`: an operator took it out.
 */
export type Availability =
  | 'unknown'
  | 'up'
  | 'half_open'
  | 'suspect'
  | 'ejected'
  | 'down'
  | 'open'
  | 'hung'
  | 'asleep'
  | 'draining'
  | 'parked'

/**
 * One thing a request can be sent to: a worker, or one data-parallel rank of a worker. A plain value, so that a stored
 * view can be decided on again.
 */
export interface CandidateView {
  /** Unique in the view: the worker's id, or `<worker id>@<rank>` for a data-parallel rank. */
  readonly id: string
  /** Id of the worker behind it; ranks of one engine share it. */
  readonly workerId: string
  /** Sent as `X-data-parallel-rank`; null for a worker that is one engine. */
  readonly rank: number | null
  /** Relative capacity, above zero; 1 when nobody said otherwise. */
  readonly weight: number
  readonly labels: Readonly<Record<string, string>>
  /** Model ids it serves, base models and adapters; null until it has been asked or configured. */
  readonly models: ReadonlySet<string> | null
  readonly availability: Availability
  /** Whether this router may send it a request while it is `half_open`. */
  readonly hasPermit: boolean
  /** Part of its usual work it should get, above zero up to 1: less while it warms up or has asked for less. */
  readonly share: number
  /** Requests this process (or isolate) has in flight on it: exact. */
  readonly inFlightHere: number
  /** Requests others have in flight on it, as last heard. */
  readonly inFlightElsewhere: number
  /** What its worker last said of its own load; null where it says nothing. */
  readonly scraped: ScrapedLoad | null
}

/** How busy a worker says it is, whoever sent the work: from its `/metrics`. Ranks of one engine share it. */
export interface ScrapedLoad {
  readonly running: number
  readonly waiting: number
  /** Part of its KV cache in use, 0 to 1; null when it does not say. */
  readonly kvUsage: number | null
  /** How many of them were ours, sent by any router of this fleet, as far as known when it was read. */
  readonly ours: number
  /** How old it was, in milliseconds, when `inFlightElsewhere` was true. */
  readonly ageMs: number
}

/** What stands for the caller's session when a policy wants affinity. The key's text is never kept, only its hash. */
export interface Affinity {
  /** Where the key came from, such as `header:x-session-id`, `body:user` or `prompt`. */
  readonly source: string
  /** 64-bit hash of the key, 16 hexadecimal digits. */
  readonly hash: string
}

/** What a policy sees: the candidates nothing has ruled out, and what it declared it needs. */
export interface PolicyInput {
  readonly candidates: readonly CandidateView[]
  /** The session's key; null when the policy did not ask for one or the request offers none. */
  readonly affinity: Affinity | null
  /** The request's turn, a count that rises by one a request over all isolates; null unless asked for. */
  readonly ticket: number | null
  /** Where the prompt is cached by the router's own index; null unless asked for, or the request has no prompt. */
  readonly prefix: PrefixFact | null
  /** The same from LMCache; null unless asked for. */
  readonly lmcache: LmcacheFact | null
  /** Milliseconds since `inFlightElsewhere` was true. */
  readonly loadAgeMs: number
  /** Repeatable randomness in [0, 1): the same seed gives the same numbers on every runtime. */
  readonly random: () => number
}

/** A policy's word on one candidate. */
export interface Verdict {
  /** Higher is better; null when the policy did not look at this candidate. */
  readonly score: number | null
  /** The numbers the score was made of, by name, for explanations. */
  readonly parts?: Readonly<Record<string, number>>
  /** Why the policy leaves this candidate out although nothing else does. */
  readonly veto?: string
}

/** What a policy wants the pipeline to find out before the decision. */
export interface PolicyNeeds {
  /** `block`: turns come in leased blocks, fair to one request per block. `strict`: one count for the whole fleet. */
  readonly ticket?: 'block' | 'strict'
  /** The session's key; `headers` replaces the default list of headers it may come from, best first. */
  readonly affinity?: { readonly headers?: readonly string[] }
  /** Which candidates' caches hold how much of the prompt, by the router's own index. */
  readonly prefix?: PrefixNeeds
  /** The same from LMCache's control plane, and how full caches are. */
  readonly lmcache?: LmcacheNeeds
}

export interface PrefixNeeds {
  /** Bytes of a block of the prompt: what shares fewer is not told apart. */
  readonly blockBytes: number
  /** What a token costs to prefill, in milliseconds, until it is known better. */
  readonly prefillMsPerToken: number
  /** Memory that the index may take, of all models and candidates together; the router's default when left out. */
  readonly indexBytes?: number | undefined
  /** How much of prompts a candidate is taken to hold at most, in bytes; what there is room for when left out. */
  readonly workerBytes?: number | undefined
}

export interface LmcacheNeeds {
  /** What a token costs to prefill, in milliseconds, until it is known better. */
  readonly prefillMsPerToken: number
  /** Base URL of LMCache's control plane, without a trailing slash. */
  readonly controllerUrl: string
  /** Which of LMCache's two control planes it is. */
  readonly controllerType: 'legacy' | 'coordinator'
  /** Bearer key for a proxy in front of it; LMCache itself asks for none. A secret. */
  readonly controllerApiKey: Secret | null
  /** Name of the service or VPC binding to reach it through; null for the URL directly. */
  readonly controllerBinding: string | null
  /** Between two polls of how full caches are. */
  readonly pollIntervalMs: number
  /** For each of its answers. */
  readonly controllerTimeoutMs: number
  /** Workers by LMCache's instance id, each by its id or URL, where ids and addresses don't tell. */
  readonly workerMap: Readonly<Record<string, readonly string[]>>
  /** Null where no prompt is looked up: how full caches are is all that is asked. */
  readonly lookup: LmcacheLookupNeeds | null
}

/** Which prompts are looked up, and at what price. */
export interface LmcacheLookupNeeds {
  /** Shorter prompts are not asked about. */
  readonly minPromptTokens: number
  /** How much of a prompt's beginning is sent. */
  readonly maxTokens: number
  /** For tokenising and looking up together. */
  readonly budgetMs: number
  /** Tensor-parallel ranks of an engine, which the coordinator wants to know. */
  readonly worldSize: number
  /** Whether a worker that holds the end of a chain is taken to hold its beginning. */
  readonly assumesChains: boolean
}

/** How a decision came about, as headers and records name it. */
export type DecisionMethod = 'policy' | 'cluster' | 'lmcache-prefix' | 'none'

/** Which policy decides in the end, and how that is called. */
export interface PolicyStep {
  readonly policy: Policy
  readonly method: Exclude<DecisionMethod, 'none' | 'cluster'>
}

export interface Policy {
  /** The name YAML, headers and records use. */
  readonly name: string
  readonly needs: PolicyNeeds
  /**
   * Scores every candidate, in the order given. The best score wins; `decide` breaks ties with the seed. Called with at
   * least one candidate, and must not keep anything between calls.
   */
  score(input: PolicyInput): readonly Verdict[]
  /** Of a policy that falls back on others: who decides, with what is known. Absent for one that always decides itself. */
  step?(input: PolicyInput): PolicyStep
}

/** How a policy is named, configured and built. Register it with `createRouter({ policies })`. */
export interface PolicyDefinition<Options = unknown> {
  readonly name: string
  /** Schema of the options that stand beside `type` in YAML; strict, so that a typo is an error. */
  readonly options: z.ZodType<Options>
  /** `others` is for a policy that falls back on another, named in its options. May throw `PolicyError`. */
  create(options: Options, others?: PolicyRegistry): Policy
  /** What an operator should be told when the configuration loads, such as an accepted key that has no effect. */
  warnings?(options: Options): readonly string[]
}

/** Policies by the name YAML uses. */
export type PolicyRegistry = ReadonlyMap<string, PolicyDefinition>

/** Ties a policy's schema to its factory, so that `create` gets typed options. */
export function definePolicy<Options>(definition: PolicyDefinition<Options>): PolicyDefinition<Options> {
  return definition
}
