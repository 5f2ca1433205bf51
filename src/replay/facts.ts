// What a policy asks to know of a request, from its record: as it was, as it can be assumed, or not at all.

import type { StoredRecord } from '../record/stored-record.ts'
import type { Affinity, Policy } from '../routing/policy.ts'
import type { Assumption } from './outcome.ts'
import { couldComeFrom, isSameKey, keyHeadersOf } from './session-key.ts'

export type Facts =
  | {
      readonly kind: 'facts'
      readonly affinity: Affinity | null
      readonly ticket: number | null
      readonly assumed: readonly Assumption[]
    }
  | { readonly kind: 'missing'; readonly why: string }

export interface FactSources {
  readonly policy: Policy
  /** The model that is decided on. */
  readonly model: string | null
  /** Headers that the configuration of the record had the session's key looked for in; null when it is not at hand. */
  readonly keyHeaders: readonly string[] | null
  readonly turns: TurnCounts
}

/** Needs of policies that records can meet; those of caches are met in cache-facts.ts. */
const KNOWN_NEEDS: ReadonlySet<string> = new Set(['affinity', 'ticket', 'prefix', 'lmcache'])

const NOTHING: readonly Assumption[] = []

export function factsFor(record: StoredRecord, { policy, model, keyHeaders, turns }: FactSources): Facts {
  const strange = Object.keys(policy.needs).find((name) => !KNOWN_NEEDS.has(name))
  if (strange !== undefined)
    return { kind: 'missing', why: `\`${policy.name}\` asks for \`${strange}\`, which no record has` }
  const affinity = record.affinity ?? null
  const isKeyAssumed = policy.needs.affinity !== undefined && keyHeaders === null && record.policy === policy.name
  if (policy.needs.affinity !== undefined) {
    const before = keyHeaders ?? keyHeadersOf({})
    const after = keyHeadersOf(policy.needs)
    if (!couldComeFrom(affinity, before)) {
      return {
        kind: 'missing',
        why: `its session key came from headers of another configuration; give that one as well`,
      }
    }
    if (!isSameKey(affinity, { before, after })) {
      return {
        kind: 'missing',
        why: `\`${policy.name}\` looks for the session key in headers that nobody looked at then`,
      }
    }
  }
  const isTurnAssumed = needsTurn(record, policy, model)
  const ticket = isTurnAssumed ? turns.turnOf(record, model) : (record.ticket ?? null)
  if (!isKeyAssumed && !isTurnAssumed) return { kind: 'facts', affinity, ticket, assumed: NOTHING }
  const assumed = [...(isKeyAssumed ? (['session'] as const) : []), ...(isTurnAssumed ? (['turn'] as const) : [])]
  return { kind: 'facts', affinity, ticket, assumed }
}

/** Whether the turn must be made up: nobody asked for one, or it was one of another model's. */
function needsTurn(record: StoredRecord, { name, needs }: Policy, model: string | null): boolean {
  if (needs.ticket === undefined) return false
  if (model !== (record.model ?? null)) return true
  // The same policy asked too: it got none, and drew one by the seed.
  return record.ticket === undefined && record.policy !== name
}

/** Turns by model, for requests that were given none: in the order in which they are decided on. */
export class TurnCounts {
  readonly #next = new Map<string, number>()
  #record: StoredRecord | null = null
  #model: string | null = null
  #turn = 0

  /** A request that is asked about twice in a row keeps its turn. */
  turnOf(record: StoredRecord, model: string | null): number {
    if (record === this.#record && model === this.#model) return this.#turn
    const key = model ?? ''
    const turn = this.#next.get(key) ?? 0
    this.#next.set(key, turn + 1)
    this.#record = record
    this.#model = model
    this.#turn = turn
    return turn
  }
}
