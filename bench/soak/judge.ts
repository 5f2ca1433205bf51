// What a soak must show, whatever the machine: pure, so that the figures of a run can be judged again.

import type { SoakReport } from './soak.ts'

/** A process may keep some descriptors for later: idle connections, modules loaded on the way. */
const KEPT_DESCRIPTORS = 40

/** Of all requests: those that a worker's death cut, or that nobody could take, are few. */
const MAX_LOST_SHARE = 0.2

/** Complaints; none for a run that is as it should be. `maxMemorySlope` in MiB a minute; null where a run is too short to say. */
export function complaintsAbout(report: SoakReport, maxMemorySlope: number | null): readonly string[] {
  const { before, after, outcomes, troubles, leftAtWorkers, memoryMbPerMinute } = report
  const complaints: string[] = []
  const grown = after.fileDescriptors - before.fileDescriptors
  if (after.inFlight !== 0) complaints.push(`${after.inFlight} leases are left`)
  if (leftAtWorkers !== 0) complaints.push(`workers still work on ${leftAtWorkers} requests`)
  if (grown > KEPT_DESCRIPTORS) complaints.push(`${grown} file descriptors more than before`)
  if (maxMemorySlope !== null && memoryMbPerMinute > maxMemorySlope) {
    complaints.push(`memory grows by ${memoryMbPerMinute.toFixed(2)} MiB a minute, more than ${maxMemorySlope}`)
  }
  const total = Object.values(outcomes).reduce((sum, count) => sum + count, 0)
  const fine = (outcomes['whole'] ?? 0) + (outcomes['left'] ?? 0)
  if (total === 0) complaints.push('no request was made')
  else if (1 - fine / total > MAX_LOST_SHARE) complaints.push(`${total - fine} of ${total} requests were lost`)
  // A stream may be cut, but its caller must be told.
  if ((outcomes['cut'] ?? 0) > 0) complaints.push(`${outcomes['cut']} streams ended without a word`)
  for (const [name, count] of Object.entries(troubles)) if (count === 0) complaints.push(`there were no ${name}`)
  return complaints
}
