// What the words for a worker's availability allow.

import type { Availability } from './policy.ts'

/** Takes usual work. */
export function isUsable(availability: Availability): boolean {
  return availability === 'up' || availability === 'unknown'
}

/** Out of use, but a candidate again when too few others are left: what speaks against it may be wrong or past. */
export function isLastResort(availability: Availability): boolean {
  return availability === 'suspect' || availability === 'ejected'
}

/** Whether a request may get there at all, as things are. */
export function mayBeUsed(availability: Availability): boolean {
  return isUsable(availability) || isLastResort(availability)
}

/** Out of use on purpose: no sign of trouble with the fleet. */
export function isSetAside(availability: Availability): boolean {
  return availability === 'draining' || availability === 'parked' || availability === 'asleep'
}
