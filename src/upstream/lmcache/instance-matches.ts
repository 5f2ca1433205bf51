// What a lookup comes to, whichever of LMCache's control planes was asked, and what of it counts for workers.

import { byWorker, type InstanceJoin } from './instances.ts'

/** What an instance surely holds in the middle of a prompt. Worth nothing unless it holds what comes before as well. */
export interface MatchedPart {
  readonly instanceId: string
  readonly from: number
  readonly end: number
}

export interface InstanceMatches {
  /** Leading tokens that instances hold, by instance id; only those that hold some. */
  readonly tokensByInstance: ReadonlyMap<string, number>
  /** Parts that are not known to follow a beginning there; none where nobody can say whose they are. */
  readonly parts: readonly MatchedPart[]
  /** How many leading tokens anybody was said to hold, together: 0 for a prompt that is not known. */
  readonly knownTokens: number
}

/** How many tokens fewer than were sent the router's own index may know of: it counts in blocks of some 512. */
const INDEX_BLOCK_TOKENS = 512

/**
 * Leading tokens by worker. The legacy control plane names one holder for each chunk, so that whoever is found for a part
 * may yet hold all before it, and does where this router has sent it the same: `sentTokens` says how much of the prompt
 * candidates were sent, by the router's own index.
 */
export function toMatchedTokens(
  { tokensByInstance, parts }: Pick<InstanceMatches, 'tokensByInstance' | 'parts'>,
  join: InstanceJoin,
  sentTokens: () => Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  if (parts.length === 0) return byWorker(tokensByInstance, join, Math.max)
  const sent = Object.entries(sentTokens())
  const sentTo = (workerId: string): number => {
    // Ranks of a worker are candidates of their own, and share what it holds.
    const own = sent.filter(([id]) => id === workerId || id.startsWith(`${workerId}@`))
    return Math.max(0, ...own.map(([, tokens]) => tokens))
  }
  const continued = parts.flatMap(({ instanceId, from, end }) =>
    join(instanceId)
      .filter((workerId) => sentTo(workerId) > 0 && sentTo(workerId) + INDEX_BLOCK_TOKENS >= from)
      .map((workerId): [string, number] => [workerId, end]),
  )
  const certain = Object.entries(byWorker(tokensByInstance, join, Math.max))
  return byWorker([...certain, ...continued], (workerId) => [workerId], Math.max)
}
