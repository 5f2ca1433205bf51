// What an answer of the legacy controller's POST /lookup says for certain. It names one holder for each chunk, the first
// that is found, and of each holder the end of its last chunk: several entries are parts of one chain, not several matches.

import type { InstanceMatches, MatchedPart } from './instance-matches.ts'

/** The controller cuts prompts into chunks of this many tokens, whatever workers are told. */
export const CHUNK_TOKENS = 256

export interface LayoutOptions {
  /** How many tokens were asked about. */
  readonly tokens: number
  /** Whether a holder of the end of the chain is taken to hold its beginning. */
  readonly assumesChains: boolean
}

/** Null for an answer of another shape, and for one that claims more than was asked about. */
export function readLayout(answer: unknown, options: LayoutOptions): InstanceMatches | null {
  const layout = isObject(answer) ? answer['layout_info'] : null
  if (!isObject(layout)) return null
  const ends = new Map<string, number>()
  for (const [instanceId, entry] of Object.entries(layout)) {
    const end = endOf(entry)
    if (end === null || end > options.tokens) return null
    if (end > 0) ends.set(instanceId, end)
  }
  const knownTokens = Math.max(0, ...ends.values())
  if (options.assumesChains) return { tokensByInstance: ends, parts: [], knownTokens }
  return { tokensByInstance: certain(ends), parts: partsOf(ends), knownTokens }
}

/** `[location, end]`; later releases may say more behind it. */
function endOf(entry: unknown): number | null {
  const [location, end]: readonly unknown[] = Array.isArray(entry) ? entry : []
  if (typeof location !== 'string' || typeof end !== 'number') return null
  return Number.isSafeInteger(end) && end >= 0 ? end : null
}

/** How much of the beginning an instance holds beyond doubt; those that may hold nothing of it are left out. */
function certain(ends: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  // Nobody else was found for any chunk, so that all of them are its own.
  if (ends.size < 2) return ends
  const ids = [...ends.keys()]
  // Whoever ends with the first chunk was found for it, in whatever order the entries stand.
  const matches = new Map([...ends].filter(([, end]) => end <= CHUNK_TOKENS))
  // Entries stand in the order of chunks, but JSON.parse puts keys that look like indexes in front.
  const first = ids.some(looksLikeIndex) ? undefined : ids[0]
  if (first === undefined || matches.size > 0) return matches
  const end = ends.get(first) ?? 0
  // It was found for the first chunk and for its last one; of those between nobody can say whose they were.
  return new Map([[first, end <= 2 * CHUNK_TOKENS ? end : CHUNK_TOKENS]])
}

/** The last chunk of each is surely its own, and behind the ends of all others those up to its end are. */
function partsOf(ends: ReadonlyMap<string, number>): readonly MatchedPart[] {
  if (ends.size < 2) return []
  const inOrder = [...ends].toSorted(([, one], [, other]) => one - other)
  const parts = inOrder.map(([instanceId, end], at) => {
    const before = inOrder[at - 1]?.[1] ?? 0
    const lastChunk = (Math.ceil(end / CHUNK_TOKENS) - 1) * CHUNK_TOKENS
    return { instanceId, from: at === inOrder.length - 1 ? before : Math.max(before, lastChunk), end }
  })
  return parts.filter(({ from, end }) => from < end)
}

function looksLikeIndex(key: string): boolean {
  return /^(?:0|[1-9]\d{0,9})$/.test(key)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
