// Requests this process or isolate has in flight, as leases: taken once, given back once, and forgotten when nobody
// renews them (an isolate's request can be dropped by the platform without any of our code running).

import { LEASE_TTL_MS } from './holder-book.ts'

/** What a request's worker did lately; written by whoever reads its answer. */
export interface LeaseActivity {
  /** When its last byte came; null before the first. */
  lastByteAtMs: number | null
  /** Whether somebody waits for its next byte: one whose client does not read is not silent. */
  isWaiting: boolean
}

/** One request in flight on one candidate. */
export interface BookedLease {
  readonly activity: LeaseActivity
  /** Gives the place back. True the first time. */
  release(): boolean
  /** Says that the request is still alive. */
  renew(): void
  /** Says that its worker has just delivered something. */
  touch(): void
}

export interface LeaseBook {
  acquire(candidateId: string, workerId: string): BookedLease
  /** Requests in flight on a candidate. */
  count(candidateId: string): number
  total(): number
  /** Whether any request is in flight on a worker. */
  hasWork(workerId: string): boolean
  /** Counts by candidate, without candidates that have none; drops leases that nobody renewed. */
  report(): ReadonlyMap<string, number>
  /** When each worker last delivered a byte, for those that ever did. */
  lastBytes(): ReadonlyMap<string, number>
}

interface LiveLease {
  readonly candidateId: string
  readonly workerId: string
  readonly activity: LeaseActivity
  renewedAtMs: number
}

export function createLeaseBook(now: () => number): LeaseBook {
  const counts = new Map<string, number>()
  const live = new Set<LiveLease>()
  const lastByteAtMs = new Map<string, number>()

  function noteBytes({ workerId, activity }: LiveLease): void {
    const atMs = activity.isWaiting ? activity.lastByteAtMs : now()
    if (atMs !== null) lastByteAtMs.set(workerId, Math.max(atMs, lastByteAtMs.get(workerId) ?? atMs))
  }

  function giveBack(lease: LiveLease): boolean {
    if (!live.delete(lease)) return false
    noteBytes(lease)
    const left = (counts.get(lease.candidateId) ?? 1) - 1
    if (left > 0) counts.set(lease.candidateId, left)
    else counts.delete(lease.candidateId)
    return true
  }

  return {
    acquire(candidateId, workerId) {
      const activity: LeaseActivity = { lastByteAtMs: null, isWaiting: true }
      const lease: LiveLease = { candidateId, workerId, activity, renewedAtMs: now() }
      live.add(lease)
      counts.set(candidateId, (counts.get(candidateId) ?? 0) + 1)
      return {
        activity,
        release: () => giveBack(lease),
        renew() {
          lease.renewedAtMs = now()
        },
        touch() {
          activity.lastByteAtMs = now()
        },
      }
    },
    count: (candidateId) => counts.get(candidateId) ?? 0,
    total: () => live.size,
    hasWork(workerId) {
      for (const lease of live) if (lease.workerId === workerId) return true
      return false
    },
    report() {
      const oldestMs = now() - LEASE_TTL_MS
      for (const lease of live) if (lease.renewedAtMs < oldestMs) giveBack(lease)
      return new Map(counts)
    },
    lastBytes() {
      for (const lease of live) noteBytes(lease)
      return lastByteAtMs
    },
  }
}
