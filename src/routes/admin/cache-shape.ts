// What the response caches hold, as `/admin/stats` shows it.

import type { RouterParts } from '../../pipeline/router-parts.ts'

type CacheParts = Pick<RouterParts, 'responseCache' | 'semanticCache'>
type Cache = CacheParts[keyof CacheParts]

/** `backend` is the exact cache's, or else the semantic one's. Nobody counts what is kept outside of this router: null. */
export function toCaches({ responseCache: exact, semanticCache: semantic }: CacheParts) {
  return {
    backend: exact?.backend ?? semantic?.backend ?? 'none',
    exact_entries: entriesOf(exact),
    semantic_entries: entriesOf(semantic),
    ...bytesOf('exact_bytes', exact),
    ...bytesOf('semantic_bytes', semantic),
  }
}

function entriesOf(cache: Cache): number | null {
  return cache === null ? 0 : (cache.size?.entries ?? null)
}

function bytesOf(name: string, cache: Cache): object {
  const size = cache?.size ?? null
  return size === null ? {} : { [name]: size.bytes }
}
