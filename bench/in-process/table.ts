// What each in-process benchmark hands to the page: a table, and the goals it has.

import type { Row } from '../pages.ts'
import type { Spread } from '../statistics.ts'

export interface BenchTable {
  readonly title: string
  readonly about: string
  readonly head: Row
  readonly rows: readonly Row[]
  readonly goals: readonly InProcessGoal[]
}

export interface InProcessGoal {
  readonly what: string
  readonly isMet: boolean
}

/** Microseconds: the median of rounds, and in brackets the least, which a busy machine does not touch. */
export function microseconds({ median, min }: Spread): string {
  return `${toText(median)} (${toText(min)})`
}

function toText(value: number): string {
  return value.toFixed(value < 100 ? 2 : 0)
}
