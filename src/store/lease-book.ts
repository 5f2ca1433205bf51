// Requests this process or isolate has in flight, as leases: taken once, given back once, and forgotten when nobody
// renews them (an isolate's request can be dropped by the platform without any of our code running).

import { LEASE_TTL_MS } from './fleet-state.ts'

/** One request in flight on one candidate. */
export interface Lease {
  readonly candidateId: string
  /** Gives the place back. Only the first call counts. */
  release(): void
  /** Says that the request is still alive. */
  renew(): void
}

export interface LeaseBook {
  acquire(candidateId: string): Lease
  /** Requests in flight on a candidate. */
  count(candidateId: string): number
  total(): number
  /** Counts by candidate, without candidates that have none; drops leases that nobody renewed. */
  report(): ReadonlyMap<string, number>
}

export function createLeaseBook(now: () => number): LeaseBook {
  const counts = new Map<string, number>()
  const live = new Map<object, { readonly candidateId: string; renewedAtMs: number }>()

  function giveBack(token: object): void {
    const lease = live.get(token)
    if (lease === undefined) return
    live.delete(token)
    const left = (counts.get(lease.candidateId) ?? 1) - 1
    if (left > 0) counts.set(lease.candidateId, left)
    else counts.delete(lease.candidateId)
  }

  return {
    acquire(candidateId) {
      const token = {}
      const lease = { candidateId, renewedAtMs: now() }
      live.set(token, lease)
      counts.set(candidateId, (counts.get(candidateId) ?? 0) + 1)
      return {
        candidateId,
        release: () => giveBack(token),
        renew() {
          lease.renewedAtMs = now()
        },
      }
    },
    count: (candidateId) => counts.get(candidateId) ?? 0,
    total: () => live.size,
    report() {
      const oldestMs = now() - LEASE_TTL_MS
      for (const [token, lease] of live) if (lease.renewedAtMs < oldestMs) giveBack(token)
      return new Map(counts)
    },
  }
}
