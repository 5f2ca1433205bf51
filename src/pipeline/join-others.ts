// Equal misses: a request waits for another that already asks a worker for the same answer, or takes the lead.

import type { StoredAnswer } from '../cache/response-store.ts'
import type { Lead, SingleFlight } from '../cache/single-flight.ts'
import { RouterError } from '../errors/router-error.ts'

/** With neither, the request goes on by itself. */
export interface Joined {
  readonly answer: StoredAnswer | null
  readonly lead: Lead<StoredAnswer> | null
}

export const ALONE: Joined = { answer: null, lead: null }

/** Whoever has waited in vain so often asks a worker, whatever others do. */
const MAX_WAITS = 2

/** Throws when the client leaves meanwhile. */
export async function joinOthers(
  flights: SingleFlight<StoredAnswer>,
  key: string,
  signal: AbortSignal,
): Promise<Joined> {
  for (let waits = 0; waits < MAX_WAITS; waits += 1) {
    const landing = flights.join(key)
    // Taken at once: between this and any wait another one would take it too.
    if (landing === null) return { answer: null, lead: flights.lead(key) }
    const answer = await unlessGone(landing, signal)
    if (answer !== null) return { answer, lead: null }
  }
  return ALONE
}

async function unlessGone<Value>(landing: Promise<Value>, signal: AbortSignal): Promise<Value> {
  let leave: () => void = () => {}
  const gone = new Promise<never>((_, reject) => {
    leave = () => reject(new RouterError('client_closed_request', 'The client closed the connection.'))
  })
  signal.addEventListener('abort', leave)
  if (signal.aborted) leave()
  try {
    return await Promise.race([landing, gone])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
