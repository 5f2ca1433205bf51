// Which worker created which stored response, in memory, bounded by number and time.

import type { ResponseOwner } from './fleet-store.ts'

/** Oldest first out beyond this; about 10 MB with ids of OpenAI's length. */
const MAX_ENTRIES = 50_000

interface Entry extends ResponseOwner {
  readonly expiresAtMs: number
}

export interface ResponseOwners {
  /** The last word of a tenant counts; an id that another tenant's response has stays that tenant's. */
  remember(
    responseId: string,
    owner: ResponseOwner,
    time: { readonly nowMs: number; readonly expiresAtMs: number },
  ): void
  find(responseId: string, nowMs: number): ResponseOwner | null
  forget(responseId: string): void
}

export function createResponseOwners(maxEntries: number = MAX_ENTRIES): ResponseOwners {
  const entries = new Map<string, Entry>()
  return {
    remember(responseId, owner, { nowMs, expiresAtMs }) {
      const known = entries.get(responseId)
      if (known !== undefined && known.expiresAtMs > nowMs && known.tenant !== owner.tenant) return
      entries.delete(responseId)
      entries.set(responseId, { ...owner, expiresAtMs })
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries) break
        entries.delete(oldest)
      }
    },
    find(responseId, nowMs) {
      const entry = entries.get(responseId)
      if (entry === undefined) return null
      if (entry.expiresAtMs > nowMs) return { workerId: entry.workerId, tenant: entry.tenant }
      entries.delete(responseId)
      return null
    },
    forget(responseId) {
      entries.delete(responseId)
    },
  }
}
