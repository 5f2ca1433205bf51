// What probes of one worker say together: one that fails makes it suspect, several in a row take it out, several good
// ones bring it back. How they failed decides what it is: refused connections are no server, anything else is one in
// trouble.

import type { HealthConfig } from '../config/config.ts'
import type { WorkerObservation } from './fleet-store.ts'

export type ProbeWord = 'unknown' | 'up' | 'suspect' | 'ejected' | 'down'

type Health = WorkerObservation['health']

/** What of the judgement outlives the memory it is kept in. */
export interface ProbeMemo {
  readonly word: ProbeWord
  readonly last: Health | null
}

export class ProbeJudge {
  #config: Pick<HealthConfig, 'failureThreshold' | 'successThreshold'>
  #word: ProbeWord = 'unknown'
  #last: Health | null = null
  #failsInRow = 0
  #refusedInRow = 0
  #oksInRow = 0
  #hasBeenUp = false

  constructor(config: Pick<HealthConfig, 'failureThreshold' | 'successThreshold'>) {
    this.#config = config
  }

  configure(config: Pick<HealthConfig, 'failureThreshold' | 'successThreshold'>): void {
    this.#config = config
  }

  get word(): ProbeWord {
    return this.#word
  }

  /** How the last probe went; null before the first. */
  get last(): Health | null {
    return this.#last
  }

  note(health: Health): void {
    this.#last = health
    if (health === 'ok') this.#noteOk()
    else this.#noteFailure(health)
  }

  /** Nobody has asked for long: like one that was never asked, its next answer counts at once. */
  lookAnew(): void {
    this.#hasBeenUp = false
  }

  memo(): ProbeMemo {
    return { word: this.#word, last: this.#last }
  }

  /** Goes on from an earlier life. One that was out needs its successes in a row anew. */
  resume({ word, last }: ProbeMemo): void {
    this.#word = word
    this.#last = last
    this.#hasBeenUp = word !== 'unknown'
    this.#failsInRow = this.#isOut() ? this.#config.failureThreshold : 0
    this.#refusedInRow = word === 'down' ? this.#config.failureThreshold : 0
  }

  #noteOk(): void {
    this.#failsInRow = 0
    this.#refusedInRow = 0
    this.#oksInRow += 1
    // One that was never up has nothing to prove: it has just started.
    if (this.#isOut() && this.#hasBeenUp && this.#oksInRow < this.#config.successThreshold) return
    this.#hasBeenUp = true
    this.#word = 'up'
  }

  #noteFailure(health: Exclude<Health, 'ok'>): void {
    const { failureThreshold } = this.#config
    this.#oksInRow = 0
    this.#failsInRow += 1
    this.#refusedInRow = health === 'unreachable' ? this.#refusedInRow + 1 : 0
    // One that was never there has no good name to lose: it has not started yet, or its address is wrong.
    if (!this.#hasBeenUp && this.#refusedInRow > 0) {
      this.#word = 'down'
      return
    }
    if (this.#failsInRow < failureThreshold) {
      if (!this.#isOut()) this.#word = 'suspect'
      return
    }
    this.#word = this.#refusedInRow >= failureThreshold ? 'down' : 'ejected'
  }

  #isOut(): boolean {
    return this.#word === 'ejected' || this.#word === 'down'
  }
}
