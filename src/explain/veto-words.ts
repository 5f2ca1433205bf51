// Why a candidate was left out, or was not although something spoke against it, in words. A word that is missing here is
// shown as it is: policies have vetoes of their own.

import { NOTE, VETO } from '../routing/decide.ts'

interface VetoWords {
  /** For a table. */
  readonly short: string
  /** What follows the candidate's name, or several names: without a verb that tells one from many. */
  readonly long: string
}

const VETO_WORDS: Readonly<Record<string, VetoWords>> = {
  [VETO.wrongModel]: { short: 'other model', long: 'the model of the request is not served there' },
  [VETO.modelsUnknown]: { short: 'models unknown', long: 'nobody knew yet which models are served there' },
  [VETO.otherCluster]: { short: 'other cluster', long: 'requests of this kind go to a cluster that it is not in' },
  [VETO.notPinned]: { short: 'not the holder', long: 'what the request refers to is held by another worker' },
  [VETO.parked]: { short: 'taken out', long: 'an operator had taken it out' },
  [VETO.draining]: {
    short: 'being drained',
    long: 'an operator was draining it: what runs may end, nothing new comes',
  },
  [VETO.asleep]: { short: 'asleep', long: 'the worker said of itself that it slept' },
  [VETO.down]: { short: 'down', long: 'probes found nobody listening' },
  [VETO.open]: {
    short: 'breaker open',
    long: 'requests had failed there one after the other, and its breaker was open',
  },
  [VETO.hung]: { short: 'hung', long: 'it had work and got nowhere with it' },
  [VETO.tried]: { short: 'tried before', long: 'an earlier attempt of this request had used it' },
  [VETO.halfOpen]: { short: 'half open', long: 'it was being tried again after failures, by requests of others' },
  [VETO.ejected]: { short: 'ejected', long: 'probes failed there, or too many requests did' },
  [VETO.suspect]: {
    short: 'suspect',
    long: 'a request or a probe had just failed there, or it had asked to be left alone',
  },
  over_load_bound: {
    short: 'over its bound',
    long: 'as many requests were in flight there as the bound of the policy, its `load_factor`, allows',
  },
}

/** For a table: a few words. */
export function shortVeto(veto: string): string {
  return vetoWords(veto)?.short ?? veto
}

/** For a sentence: the word of the record, and what it means. */
export function longVeto(veto: string): string {
  const words = vetoWords(veto)
  return words === null ? `the policy’s own veto \`${veto}\`` : `\`${veto}\`: ${words.long}`
}

function vetoWords(veto: string): VetoWords | null {
  return Object.hasOwn(VETO_WORDS, veto) ? (VETO_WORDS[veto] ?? null) : null
}

const NOTE_WORDS: Readonly<Record<string, string>> = {
  [NOTE.permit]: 'this router had leave to send it one request, to see whether it has recovered',
  [NOTE.panic]: 'so much of the fleet was in trouble that its state was not believed of each worker alone',
  [NOTE.lastResort]: 'nobody better was left',
}

/** Why something that speaks against a candidate did not rule it out. */
export function noteWords(note: string): string {
  return Object.hasOwn(NOTE_WORDS, note) ? (NOTE_WORDS[note] ?? note) : `note \`${note}\``
}
