// What a decision needs to know of a request, found out before it is made.

import type { LmcacheFact } from '../routing/cache-facts.ts'
import { type Affinity, type Policy } from '../routing/policy.ts'
import { findAffinity } from '../routing/affinity.ts'
import type { ClusterFact } from '../routing/semantic-cluster.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { RequestPrompt } from './prefix-facts.ts'
import { withinStoreCall } from './store-call.ts'

export interface Facts {
  readonly affinity: Affinity | null
  readonly ticket: number | null
  /** Of the prompt as `model` has it. */
  readonly lmcache: LmcacheFact | null
  /** The model it was gathered for: the first of a chain. */
  readonly model: string | null
  /** What can be asked, for each model that is decided on, where the prompt is cached; absent and null are the same. */
  readonly prompt?: RequestPrompt | null
  /** Added by whoever asks for it; absent and null are the same. */
  readonly cluster?: ClusterFact | null
}

/** Where turns come from: the fleet's copy, which counts them, or a look at it. */
export interface Turns {
  /** Null where it is not known. */
  ticket(key: string): number | null
  strictTicket(key: string): Promise<number | null>
}

/** Turns are counted per model: two models that alternate must not each always get the same worker. */
export function ticketKey(policy: Policy, model: string | null): string | null {
  return policy.needs.ticket === undefined ? null : (model ?? '')
}

/** A promise only for a strict turn; everything else is at hand. */
export function gatherFacts(
  policy: Policy,
  request: InferenceRequest,
  exchange: Pick<Exchange, 'model' | 'tracing'>,
  turns: Turns,
): Facts | Promise<Facts> {
  const { model } = exchange
  // Whatever the policy: the record names the session by it, and another policy may be tried on the record one day.
  const source = { header: (name: string) => request.headers.get(name), body: request.json }
  const affinity = findAffinity(source, policy.needs.affinity?.headers)
  const key = ticketKey(policy, model)
  const withTicket = (ticket: number | null): Facts => ({ affinity, ticket, lmcache: null, model })
  if (key === null) return withTicket(null)
  if (policy.needs.ticket === 'strict') return strictTicket(turns, key, exchange).then(withTicket)
  return withTicket(turns.ticket(key))
}

/** Unknown, not zero, when the count can't be reached: the policy then draws a turn by the seed. */
async function strictTicket(turns: Turns, key: string, exchange: Pick<Exchange, 'tracing'>): Promise<number | null> {
  try {
    return await withinStoreCall(exchange, 'take_turn', turns.strictTicket(key))
  } catch {
    // A fact that can't be had must not fail the request; the record shows the missing ticket.
    return null
  }
}
