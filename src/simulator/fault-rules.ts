// The fault rules in force, and which of them befall a request. Owns counting down, dice and who is told of a change.

import { createRandom } from './random.ts'
import type { Random } from './random.ts'
import type { FaultRule, Faults } from './fault-schema.ts'

/** What a rule is matched against. */
export interface FaultTarget {
  readonly method: string
  readonly path: string
  bodyText(): string
}

/** The connection a fault cuts: `reset` sends RST, `end` sends FIN where more was promised. */
export class SocketCut extends Error {
  readonly how: 'reset' | 'end'

  constructor(how: 'reset' | 'end') {
    super(`simulated fault: connection ${how}`)
    this.name = 'SocketCut'
    this.how = how
  }
}

interface ActiveRule {
  readonly rule: FaultRule
  timesLeft: number
}

/** Rules of one worker. */
export class FaultRules {
  #active: ActiveRule[] = []
  readonly #random: Random
  readonly #listeners = new Set<() => void>()

  constructor(seed: number) {
    this.#random = createRandom(seed ^ 0x5f3759df)
  }

  get rules(): readonly FaultRule[] {
    return this.#active.map(({ rule, timesLeft }) => (rule.times === undefined ? rule : { ...rule, times: timesLeft }))
  }

  /** Replaces all rules. */
  set(rules: readonly FaultRule[]): void {
    this.#active = rules.map((rule) => ({ rule, timesLeft: rule.times ?? Infinity }))
    for (const listener of this.#listeners) listener()
  }

  /** Calls back after every change, for faults that no request carries. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** The rule that keeps the worker from listening, if any. */
  get refusal(): FaultRule | null {
    return this.#active.find(({ rule }) => rule.refuse === true)?.rule ?? null
  }

  /** Status of the health check; null when it is well. */
  get health(): number | null {
    return this.#active.findLast(({ rule }) => rule.health !== undefined)?.rule.health ?? null
  }

  /** Whether the engines stand still. */
  get isFrozen(): boolean {
    return this.#active.some(({ rule }) => rule.freeze === true)
  }

  /** The faults that befall a request, merged; uses up one of `times` of each rule that matched. */
  pick(target: FaultTarget): Faults {
    let picked: Faults = {}
    for (const active of this.#active) {
      if (active.timesLeft === 0 || !this.#matches(active.rule, target)) continue
      active.timesLeft--
      const { match: _match, path: _path, rate: _rate, times: _times, ...faults } = active.rule
      picked = { ...picked, ...faults }
    }
    return picked
  }

  #matches(rule: FaultRule, target: FaultTarget): boolean {
    if (rule.path === undefined ? target.method !== 'POST' : !target.path.startsWith(rule.path)) return false
    if (rule.match !== undefined && !target.bodyText().includes(rule.match)) return false
    return rule.rate === undefined || this.#random() < rule.rate
  }
}
