// The one function that chooses a worker. Live traffic, retries, dry runs and replay all call it, so that an
// explanation can't drift from the behaviour.

import { PolicyError } from './policy-error.ts'
import type { Affinity, CandidateView, Policy, PolicyInput, Verdict } from './policy.ts'
import { randomFrom } from './random.ts'

/** What the request offers. Plain data: it is stored in the record and decided on again by replay. */
export interface DecisionInput {
  /** The model to route to, after every rewriting; null where the route has no model. */
  readonly model: string | null
  readonly affinity: Affinity | null
  readonly ticket: number | null
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
}

export type DecisionMethod = 'policy' | 'none'

/** A candidate as the decision saw it. */
export interface ScoredCandidate {
  readonly id: string
  readonly score: number | null
  readonly parts: Readonly<Record<string, number>>
  /** Why it was left out; null for one that could have been chosen. */
  readonly veto: string | null
}

export interface Decision {
  readonly chosen: CandidateView | null
  readonly method: DecisionMethod
  /** The policy that chose; null when nothing was chosen. */
  readonly policy: string | null
  /** Every candidate of the view, in the view's order. */
  readonly candidates: readonly ScoredCandidate[]
}

/** Why `decide` leaves a candidate out, in the order of the checks: the first that holds is recorded. */
export const VETO = {
  /** Its models are known and the request's is not among them. */
  wrongModel: 'wrong_model',
  /** The request names a model, and what this worker serves is not known yet. */
  modelsUnknown: 'models_unknown',
  /** The request refers to something another worker holds. */
  notPinned: 'not_pinned',
  /** A probe found it gone. */
  down: 'down',
  /** An earlier attempt of this request used it. */
  tried: 'tried',
  /** A request could not reach it lately. It is asked all the same when nobody else is left: the evidence may be old. */
  suspect: 'suspect',
} as const

/** Recorded as the policy of a request that had to go to the worker holding what it refers to. */
export const RESPONSE_AFFINITY = 'response_affinity'

const NO_PARTS: Readonly<Record<string, number>> = Object.freeze({})

/**
 * Chooses a worker. The same arguments give the same decision, to the byte, on every runtime. `seed` is an integer.
 * Throws `PolicyError` when the policy throws or returns anything but one valid verdict per candidate.
 */
export function decide(input: DecisionInput, config: RoutingConfig, view: FleetView, seed: number): Decision {
  const tried = input.tried.length === 0 ? null : new Set(input.tried)
  const vetoes: (string | null)[] = []
  let eligible: CandidateView[] = []
  for (const candidate of view.candidates) {
    const veto = vetoOf(candidate, input, tried)
    vetoes.push(veto)
    if (veto === null) eligible.push(candidate)
  }
  if (eligible.length === 0) eligible = readmitSuspects(view, vetoes)
  if (eligible.length === 0) return nothingChosen(explain(view, vetoes, []))

  const { policy } = config
  const random = randomFrom(seed)
  const verdicts = ask(policy, {
    candidates: eligible,
    affinity: policy.needs.affinity === undefined ? null : input.affinity,
    ticket: policy.needs.ticket === undefined ? null : input.ticket,
    loadAgeMs: view.ageMs,
    random,
  })
  const candidates = explain(view, vetoes, verdicts)
  const chosen = eligible[bestOf(verdicts, random)]
  if (chosen === undefined) return nothingChosen(candidates)
  const policyName = input.pinnedWorkerId === null ? policy.name : RESPONSE_AFFINITY
  return { chosen, method: 'policy', policy: policyName, candidates }
}

function vetoOf(candidate: CandidateView, input: DecisionInput, tried: ReadonlySet<string> | null): string | null {
  if (input.model !== null) {
    if (candidate.models === null) return VETO.modelsUnknown
    if (!candidate.models.has(input.model)) return VETO.wrongModel
  }
  if (input.pinnedWorkerId !== null && candidate.workerId !== input.pinnedWorkerId) return VETO.notPinned
  if (candidate.availability === 'down') return VETO.down
  if (tried !== null && tried.has(candidate.id)) return VETO.tried
  return candidate.availability === 'suspect' ? VETO.suspect : null
}

/** With nobody else left, suspects are candidates again: a refusal without asking could be wrong for every one of them. */
function readmitSuspects(view: FleetView, vetoes: (string | null)[]): CandidateView[] {
  return view.candidates.filter((_, at) => {
    const isSuspect = vetoes[at] === VETO.suspect
    if (isSuspect) vetoes[at] = null
    return isSuspect
  })
}

function ask(policy: Policy, input: PolicyInput): readonly Verdict[] {
  let verdicts: readonly Verdict[]
  try {
    verdicts = policy.score(input)
  } catch (error) {
    throw new PolicyError(policy.name, `threw: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
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

function explain(view: FleetView, vetoes: readonly (string | null)[], verdicts: readonly Verdict[]): ScoredCandidate[] {
  const scored: ScoredCandidate[] = []
  let asked = 0
  for (const { id } of view.candidates) {
    const veto = vetoes[scored.length] ?? null
    const verdict = veto === null ? verdicts[asked++] : undefined
    scored.push({ id, score: verdict?.score ?? null, parts: verdict?.parts ?? NO_PARTS, veto: verdict?.veto ?? veto })
  }
  return scored
}

function nothingChosen(candidates: readonly ScoredCandidate[]): Decision {
  return { chosen: null, method: 'none', policy: null, candidates }
}
