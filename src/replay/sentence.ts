// What came out, in the one sentence that everybody reads.

import type { Counts } from './counts.ts'

export interface SentenceParts {
  /** The policy of the configuration that was decided under. */
  readonly policy: string
  /** Those it is compared with, most frequent first. */
  readonly instead: readonly string[]
  readonly counts: Counts
}

export function sentenceFor({ policy, instead, counts: { same, different } }: SentenceParts): string {
  const compared = same + different
  const beginning = `With ${policy} instead of ${instead.length === 0 ? 'what was recorded' : listed(instead)}`
  if (compared === 0) return `${beginning}: no request could be compared`
  const one = `${toNumber(same)} (${toPercent(same, compared)}) to the same worker`
  return `${beginning}: ${one}, ${toNumber(different)} (${toPercent(different, compared)}) different`
}

function listed(names: readonly string[]): string {
  const [first = '', ...others] = names
  if (others.length === 0) return first
  if (others.length > 2) return `${first} and ${others.length} other policies`
  return `${[first, ...others.slice(0, -1)].join(', ')} and ${others.at(-1)}`
}

/** A count with commas, for people. */
export function toNumber(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',')
}

/** `12.3 %`; never 100.0 % or 0.0 % for what is not quite that. */
export function toPercent(part: number, whole: number): string {
  if (whole === 0) return '–'
  const percent = (100 * part) / whole
  if (part < whole && percent > 99.9) return '>99.9 %'
  if (part > 0 && percent < 0.1) return '<0.1 %'
  return `${percent.toFixed(1)} %`
}
