// What a policy declared it needs to know, found out before the decision.

import { type Affinity, type Policy } from '../routing/policy.ts'
import { findAffinity } from '../routing/affinity.ts'
import type { FleetMirror } from '../store/fleet-mirror.ts'
import type { InferenceRequest } from './inference-request.ts'

export interface Facts {
  readonly affinity: Affinity | null
  readonly ticket: number | null
}

/** Turns are counted per model: two models that alternate must not each always get the same worker. */
export function ticketKey(policy: Policy, model: string | null): string | null {
  return policy.needs.ticket === undefined ? null : (model ?? '')
}

/** Waits only for a strict turn; everything else is at hand. */
export async function gatherFacts(
  policy: Policy,
  request: InferenceRequest,
  model: string | null,
  mirror: FleetMirror,
): Promise<Facts> {
  const { affinity: wanted } = policy.needs
  const affinity =
    wanted === undefined
      ? null
      : findAffinity({ header: (name) => request.headers.get(name), body: request.json }, wanted.headers)
  const key = ticketKey(policy, model)
  if (key === null) return { affinity, ticket: null }
  return { affinity, ticket: policy.needs.ticket === 'strict' ? await strictTicket(mirror, key) : mirror.ticket(key) }
}

/** Unknown, not zero, when the count can't be reached: the policy then draws a turn by the seed. */
async function strictTicket(mirror: FleetMirror, key: string): Promise<number | null> {
  try {
    return await mirror.strictTicket(key)
  } catch {
    // A fact that can't be had must not fail the request; the record shows the missing ticket.
    return null
  }
}
