// Which records an export that is thinned out keeps: always the same ones, whoever is asked.

import { hash64 } from '../routing/hash.ts'

/** `share` of all decisions, chosen by their ids. */
export function isSampled(decisionId: string, share: number): boolean {
  if (share >= 1) return true
  // Not the hash that shards are chosen by, or each shard would keep another share.
  return Number.parseInt(hash64(`sample:${decisionId}`).slice(0, 8), 16) / 2 ** 32 < share
}
