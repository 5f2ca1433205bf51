// What an answer of the coordinator's POST /directory/lookup says: everybody who holds a chunk, chunk by chunk and rank by
// rank. An instance holds a prefix as far as every rank's part of every chunk is in a memory of its own.

import type { InstanceMatches } from './instance-matches.ts'
import { CHUNK_TOKENS } from './layout-info.ts'

type Fields = Readonly<Record<string, unknown>>

/** Null for an answer of another shape, and for one that claims more than was asked about. */
export function readPlacements(answer: unknown, tokens: number): InstanceMatches | null {
  const { chunks, results } = isObject(answer) ? answer : {}
  if (typeof chunks !== 'number' || !Number.isSafeInteger(chunks) || chunks < 0 || !Array.isArray(results)) return null
  if (chunks === 0) return results.length === 0 ? { tokensByInstance: new Map(), parts: [], knownTokens: 0 } : null
  const ranks = results.length / chunks
  const chunkTokens = chunkTokensOf(results[0])
  if (!Number.isSafeInteger(ranks) || ranks < 1 || chunks * chunkTokens > tokens) return null
  const tokensByInstance = new Map<string, number>()
  let known = 0
  let holders: ReadonlySet<string> | null = null
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const inChunk = results.slice(chunk * ranks, (chunk + 1) * ranks).map(holdersOf)
    if (inChunk.includes(null)) return null
    // From the first chunk on: whoever lacks one holds nothing of use behind it.
    for (const held of inChunk) holders = holders === null ? held : intersection(holders, held)
    if (holders === null || holders.size === 0) continue
    known = (chunk + 1) * chunkTokens
    for (const instanceId of holders) tokensByInstance.set(instanceId, known)
  }
  return { tokensByInstance, parts: [], knownTokens: known }
}

/** Instances with this chunk in their own memory: what is shared, or on a disk, is no reason to prefer anybody. */
function holdersOf(result: unknown): ReadonlySet<string> | null {
  const placements = isObject(result) ? result['placements'] : null
  if (!Array.isArray(placements)) return null
  const own = placements.filter(isObject).filter(({ tier, shared }) => tier === 'l1' && shared !== true)
  return new Set(own.flatMap(({ instance_id: id }) => (typeof id === 'string' ? [id] : [])))
}

/** A chunk that anybody holds comes with its tokens, and so with its length. */
function chunkTokensOf(result: unknown): number {
  const ids = isObject(result) ? result['token_ids'] : null
  return Array.isArray(ids) && ids.length > 0 ? ids.length : CHUNK_TOKENS
}

function intersection(one: ReadonlySet<string>, other: ReadonlySet<string> | null): ReadonlySet<string> {
  return new Set([...one].filter((id) => other?.has(id) === true))
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
