// Who may take a request at all: what rules each candidate out, and who is let back in when too few are left.

import { isLastResort, isSetAside, isUsable } from './availability.ts'
import type { CandidateView } from './policy.ts'

/** Why `decide` leaves a candidate out, in the order of the checks: the first that holds is recorded. */
export const VETO = {
  /** Its models are known and the request's is not among them. */
  wrongModel: 'wrong_model',
  /** The request names a model, and what this worker serves is not known yet. */
  modelsUnknown: 'models_unknown',
  /** The request refers to something another worker holds. */
  notPinned: 'not_pinned',
  /** An operator took it out. */
  parked: 'parked',
  draining: 'draining',
  /** It says so itself. */
  asleep: 'asleep',
  /** Probes find nobody listening. */
  down: 'down',
  /** Requests failed there one after the other, just now. */
  open: 'open',
  /** It has work and gets nowhere with it. */
  hung: 'hung',
  /** An earlier attempt of this request used it. */
  tried: 'tried',
  /** It is being tried again, by somebody else's requests. */
  halfOpen: 'half_open',
  /** Probes fail there, or too many requests do. It is used all the same under panic. */
  ejected: 'ejected',
  /** A request could not reach it lately. It is asked all the same when nobody else is left: the evidence may be old. */
  suspect: 'suspect',
  /** The request is of a kind that other workers are meant for. */
  otherCluster: 'other_cluster',
} as const

/** Why a candidate was used although something spoke against it. */
export const NOTE = {
  /** A request sent to see whether it has recovered. */
  permit: 'permit',
  /** Too much of the fleet is in trouble to believe it of each. */
  panic: 'panic',
  /** Nobody else was left. */
  lastResort: 'last_resort',
} as const

/** What of a request decides who may take it. */
export interface RulingInput {
  readonly model: string | null
  readonly tried: readonly string[]
  readonly pinnedWorkerId: string | null
}

/** Who may be chosen, and why the others may not. */
export interface Ruling {
  /** Words by candidate of the view; null for those in `eligible`. */
  readonly vetoes: readonly (string | null)[]
  /** By candidate of the view, for those that something spoke against. */
  readonly notes: ReadonlyMap<number, string>
  readonly eligible: readonly CandidateView[]
  readonly isPanic: boolean
}

export interface RulingSettings {
  /**
   * Above this share of a model's workers in trouble, those that only probes or error rates speak against are candidates
   * again; null for never.
   */
  readonly panicThreshold: number | null
  /** Whether workers with an open breaker are candidates when nobody else is left. */
  readonly usesOpenLast: boolean
}

/** Rules on every candidate. */
export function rule(
  input: RulingInput,
  candidates: readonly CandidateView[],
  { panicThreshold, usesOpenLast }: RulingSettings,
): Ruling {
  const tried = input.tried.length === 0 ? null : new Set(input.tried)
  const isFirstChoice = tried === null && input.pinnedWorkerId === null
  // Workers that serve the same have one set between them, as a rule.
  let models: CandidateView['models'] | undefined
  let mismatch: string | null = null
  const vetoes: (string | null)[] = []
  const notes = new Map<number, string>()
  const eligible: CandidateView[] = []
  let serving = 0
  let inTrouble = 0
  for (const candidate of candidates) {
    const { availability } = candidate
    if (candidate.models !== models) {
      models = candidate.models
      mismatch = mismatchOf(candidate, input.model)
    }
    const isFree = isUsable(availability)
    // Ranks share their worker's fate, so the first counts for all; what was set aside on purpose is no trouble.
    const isWorker = candidate.rank === null || candidate.rank === 0
    if (isWorker && mismatch === null && !isSetAside(availability)) {
      serving += 1
      if (!isFree) inTrouble += 1
    }
    const veto = mismatch ?? (isFree && isFirstChoice ? null : vetoOf(candidate, input, tried))
    if (veto === null && !isFree && !isSetAside(availability)) notes.set(vetoes.length, NOTE.permit)
    if (veto === null) eligible.push(candidate)
    vetoes.push(veto)
  }
  const isPanic = panicThreshold !== null && inTrouble > panicThreshold * serving
  if (isPanic && readmit(VETO.ejected, NOTE.panic, { vetoes, notes })) {
    return { vetoes, notes, eligible: candidates.filter((_, at) => vetoes[at] === null), isPanic }
  }
  // With nobody else left, suspects are candidates again: a refusal without asking could be wrong for every one of them.
  if (eligible.length === 0 && readmit(VETO.suspect, NOTE.lastResort, { vetoes, notes })) {
    return { vetoes, notes, eligible: candidates.filter((_, at) => vetoes[at] === null), isPanic }
  }
  // Breakers divert; with nobody left to divert to they would turn part of a failure into an outage.
  if (eligible.length === 0 && usesOpenLast) {
    const isUntried = (at: number) => tried === null || !tried.has(candidates[at]?.id ?? '')
    const isOpen = readmit(VETO.open, NOTE.lastResort, { vetoes, notes }, isUntried)
    if (readmit(VETO.halfOpen, NOTE.lastResort, { vetoes, notes }) || isOpen) {
      return { vetoes, notes, eligible: candidates.filter((_, at) => vetoes[at] === null), isPanic }
    }
  }
  return { vetoes, notes, eligible, isPanic }
}

/** Takes back every veto of this word. True when there was one. */
function readmit(
  word: string,
  note: string,
  { vetoes, notes }: { vetoes: (string | null)[]; notes: Map<number, string> },
  mayBack: (at: number) => boolean = () => true,
): boolean {
  let isAny = false
  for (const [at, veto] of vetoes.entries()) {
    if (veto !== word || !mayBack(at)) continue
    vetoes[at] = null
    notes.set(at, note)
    isAny = true
  }
  return isAny
}

/** Why a candidate can't serve the model at all; null when it can. */
function mismatchOf({ models }: CandidateView, model: string | null): string | null {
  if (model === null) return null
  if (models === null) return VETO.modelsUnknown
  return models.has(model) ? null : VETO.wrongModel
}

function vetoOf(candidate: CandidateView, input: RulingInput, tried: ReadonlySet<string> | null): string | null {
  const { availability, hasPermit } = candidate
  const isPinned = input.pinnedWorkerId !== null
  if (isPinned && candidate.workerId !== input.pinnedWorkerId) return VETO.notPinned
  // What no other worker can answer may still go to one that is being drained, while it is there.
  const isFree = isUsable(availability) || (isPinned && availability === 'draining')
  const mayBeFree = isLastResort(availability) || availability === 'half_open'
  if (!isFree && !mayBeFree) return availability
  if (tried !== null && tried.has(candidate.id)) return VETO.tried
  if (isFree) return null
  return hasPermit && availability !== 'suspect' ? null : availability
}
