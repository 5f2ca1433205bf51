// The one function that chooses a worker. Live traffic, retries, dry runs and replay all call it, so that an
// explanation can't drift from the behaviour.

import type { LmcacheFact, PrefixFact } from './cache-facts.ts'
import { PolicyError } from './policy-error.ts'
import type { Affinity, CandidateView, DecisionMethod, Policy, PolicyInput, PolicyStep, Verdict } from './policy.ts'
import { randomFrom } from './random.ts'
import { rule, type Ruling } from './ruling.ts'
import { type ClusterFact, ruleByCluster } from './semantic-cluster.ts'

export { NOTE, VETO } from './ruling.ts'

/** What the request offers. Plain data: it is stored in the record and decided on again by replay. */
export interface DecisionInput {
  /** The model to route to, after every rewriting; null where the route has no model. */
  readonly model: string | null
  readonly affinity: Affinity | null
  readonly ticket: number | null
  readonly prefix: PrefixFact | null
  readonly lmcache: LmcacheFact | null
  /** How near its text is to the clusters; absent or null where there are none, or it is not known. */
  readonly cluster?: ClusterFact | null
  /** Candidates that earlier attempts of this request used, by id; of a worker with ranks, all of them. */
  readonly tried: readonly string[]
  /** Id of the worker that holds what this request refers to (a stored response); null when any will do. */
  readonly pinnedWorkerId: string | null
}

/** A snapshot of the fleet with the age of its signals. */
export interface FleetView {
  /** Where it came from: `memory`, `fleet`, or `stale` when the truth could not be asked. */
  readonly source: string
  readonly ageMs: number
  readonly candidates: readonly CandidateView[]
}

export interface RoutingConfig {
  readonly policy: Policy
  /**
   * Above this share of a model's workers in trouble, those that only probes or error rates speak against are candidates
   * again; undefined for never.
   */
  readonly panicThreshold?: number | undefined
  /** Whether workers with an open breaker are candidates when nobody else is left; no when left out. */
  readonly usesOpenLast?: boolean
}

/** A candidate as the decision saw it. */
export interface ScoredCandidate {
  readonly id: string
  readonly score: number | null
  readonly parts: Readonly<Record<string, number>>
  /** Why it was left out; null for one that could have been chosen. */
  readonly veto: string | null
  /** Why it was not left out although something spoke against it; absent in the usual case. */
  readonly note?: string
}

export interface Decision {
  readonly chosen: CandidateView | null
  readonly method: DecisionMethod
  /** The policy that chose; null when nothing was chosen. */
  readonly policy: string | null
  /** The cluster that it was chosen within; absent in the usual case. */
  readonly cluster?: string
  /** Every candidate of the view, in the view's order. */
  readonly candidates: readonly ScoredCandidate[]
  /** Whether so much of the fleet was in trouble that ejected workers were candidates too. */
  readonly isPanic: boolean
}

/** Recorded as the policy of a request that had to go to the worker holding what it refers to. */
export const RESPONSE_AFFINITY = 'response_affinity'

const NO_PARTS: Readonly<Record<string, number>> = Object.freeze({})

/**
 * Chooses a worker. The same arguments give the same decision, to the byte, on every runtime. `seed` is an integer.
 * Throws `PolicyError` when the policy throws or returns anything but one valid verdict per candidate.
 */
export function decide(input: DecisionInput, config: RoutingConfig, view: FleetView, seed: number): Decision {
  const ruled = rule(input, view.candidates, {
    panicThreshold: config.panicThreshold ?? null,
    usesOpenLast: config.usesOpenLast ?? false,
  })
  // Only one worker has what a pinned request refers to, whatever its text is about.
  const clusters = input.pinnedWorkerId === null ? (input.cluster ?? null) : null
  const { ruling, cluster } = ruleByCluster(ruled, view.candidates, clusters)
  const { eligible } = ruling
  if (eligible.length === 0) return nothingChosen(ruling, explain(view, ruling, []))

  const { policy } = config
  const random = randomFrom(seed)
  const asked: PolicyInput = {
    candidates: eligible,
    affinity: policy.needs.affinity === undefined ? null : input.affinity,
    ticket: policy.needs.ticket === undefined ? null : input.ticket,
    prefix: policy.needs.prefix === undefined ? null : input.prefix,
    lmcache: policy.needs.lmcache === undefined ? null : input.lmcache,
    loadAgeMs: view.ageMs,
    random,
  }
  const { policy: acting, method } = stepOf(policy, asked)
  const verdicts = ask(acting, asked)
  const candidates = explain(view, ruling, verdicts)
  const chosen = eligible[bestOf(verdicts, random)]
  if (chosen === undefined) return nothingChosen(ruling, candidates)
  const { isPanic } = ruling
  if (input.pinnedWorkerId !== null) return { chosen, method: 'policy', policy: RESPONSE_AFFINITY, candidates, isPanic }
  const decision = { chosen, method, policy: acting.name, candidates, isPanic }
  return cluster === null ? decision : { ...decision, method: 'cluster', cluster }
}

function stepOf(policy: Policy, input: PolicyInput): PolicyStep {
  if (policy.step === undefined) return { policy, method: 'policy' }
  try {
    return policy.step(input)
  } catch (error) {
    throw thrownBy(policy, error)
  }
}

function thrownBy({ name }: Policy, error: unknown): PolicyError {
  return new PolicyError(name, `threw: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}

function ask(policy: Policy, input: PolicyInput): readonly Verdict[] {
  let verdicts: readonly Verdict[]
  try {
    verdicts = policy.score(input)
  } catch (error) {
    throw thrownBy(policy, error)
  }
  const expected = input.candidates.length
  // A policy may be somebody's JavaScript, so its types prove nothing.
  if (!Array.isArray(verdicts)) throw new PolicyError(policy.name, 'must return an array of verdicts')
  if (verdicts.length !== expected) {
    throw new PolicyError(policy.name, `returned ${verdicts.length} verdicts for ${expected} candidates`)
  }
  let at = 0
  for (const verdict of verdicts) {
    const problem = problemOf(verdict)
    if (problem !== null) throw new PolicyError(policy.name, `${problem} for candidate \`${input.candidates[at]?.id}\``)
    at += 1
  }
  return verdicts
}

function problemOf(verdict: Verdict | null | undefined): string | null {
  if (typeof verdict !== 'object' || verdict === null) return 'returned no verdict'
  const { score, veto } = verdict
  if (score !== null && !Number.isFinite(score)) return `returned the score ${String(score)}, neither finite nor null,`
  if (veto !== undefined && (typeof veto !== 'string' || veto === '')) return 'returned a veto that is no word'
  return null
}

/** Index of the best score, fair among equals; -1 when no candidate has a score and no veto. */
function bestOf(verdicts: readonly Verdict[], random: () => number): number {
  let best = Number.NEGATIVE_INFINITY
  let first = -1
  let ties = 0
  let at = -1
  for (const { score, veto } of verdicts) {
    at += 1
    if (score === null || veto !== undefined || score < best) continue
    if (score === best) {
      ties += 1
      continue
    }
    best = score
    first = at
    ties = 1
  }
  if (ties < 2) return first
  let skip = Math.floor(random() * ties)
  return verdicts.findIndex(({ score, veto }) => score === best && veto === undefined && skip-- === 0)
}

function explain(view: FleetView, { vetoes, notes }: Ruling, verdicts: readonly Verdict[]): ScoredCandidate[] {
  const scored: ScoredCandidate[] = []
  let asked = 0
  for (const { id } of view.candidates) {
    const at = scored.length
    const veto = vetoes[at] ?? null
    const verdict = veto === null ? verdicts[asked++] : undefined
    const line = { id, score: verdict?.score ?? null, parts: verdict?.parts ?? NO_PARTS, veto: verdict?.veto ?? veto }
    const note = notes.size === 0 ? undefined : notes.get(at)
    scored.push(note === undefined ? line : { ...line, note })
  }
  return scored
}

function nothingChosen({ isPanic }: Ruling, candidates: readonly ScoredCandidate[]): Decision {
  return { chosen: null, method: 'none', policy: null, candidates, isPanic }
}
