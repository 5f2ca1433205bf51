// Leases over HTTP: whatever becomes of requests, in the end none is in flight.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fetchWhole, send } from '../support/http-client.ts'
import { until } from '../support/launch.ts'
import { STREAM_ROUTES, type StreamRoute } from '../support/stream-routes.ts'
import { type Bench, DEATHS } from './stream-bench.ts'

/** One request of a random sequence, and what befalls it. */
interface Act {
  readonly route: StreamRoute
  readonly isStream: boolean
  readonly fault: Readonly<Record<string, unknown>> | null
  /** When the client leaves: after so many milliseconds or pieces of the body; null to read to the end. */
  readonly leaves: { readonly afterMs?: number; readonly afterPieces?: number } | null
}

const acts: fc.Arbitrary<Act> = fc.record({
  route: fc.constantFrom(...STREAM_ROUTES),
  isStream: fc.boolean(),
  fault: fc.constantFrom(
    null,
    null,
    { status: 500 },
    { status: 400 },
    { die_before_headers: true },
    { truncated_json: true },
    { html_200: true },
    { slow_headers_ms: 50 },
    { error_in_stream: { after_events: 2 } },
    ...DEATHS.map((mode) => ({ die_mid_stream: { after_events: 2, mode } })),
  ),
  leaves: fc.constantFrom(
    null,
    null,
    { afterMs: 0 },
    { afterMs: 5 },
    { afterMs: 15 },
    { afterPieces: 1 },
    { afterPieces: 3 },
  ),
})

export function leases(given: () => Bench): void {
  test('after any mix of finishes, aborts and deaths nothing is in flight', async () => {
    const bench = given()
    await fc.assert(
      fc.asyncProperty(fc.array(acts, { minLength: 3, maxLength: 10 }), async (sequence) => {
        await Promise.all(sequence.map((act) => perform(bench, act)))
        await untilNothingInFlight(bench)
      }),
      { numRuns: 30 },
    )
    for (const worker of bench.fleet) expect(worker.state()).toMatchObject({ running: 0, waiting: 0 })
  })
}

async function perform(bench: Bench, { route, isStream, fault, leaves }: Act): Promise<void> {
  const headers: Record<string, string> = fault === null ? {} : { 'x-sim-fault': JSON.stringify(fault) }
  const { reply, leave } = send(bench.router.url + route.path, route.body('fleet', { isStream }), { headers })
  if (leaves?.afterMs !== undefined) setTimeout(leave, leaves.afterMs)
  try {
    const { next } = await reply
    for (let read = 1; (await next()) !== null; read++) if (read === leaves?.afterPieces) return leave()
  } catch {
    // A client that left, or an answer that was cut: what is under test is what stays behind.
  }
}

/** Asks until a decision has seen all three workers, with none of this router's requests on any of them. */
async function untilNothingInFlight(bench: Bench): Promise<void> {
  let candidates: unknown[] = []
  await until(
    async () => {
      const id = bench.id()
      await fetchWhole(
        `${bench.router.url}/tokenize`,
        { model: 'fleet', prompt: 'x' },
        { headers: { 'x-request-id': id } },
      )
      const record = await bench.record(id)
      candidates = (record['candidates'] as { worker: string; parts?: Record<string, number> }[])
        .filter(({ worker }) => worker.startsWith('fleet'))
        .map(({ parts }) => parts?.['in_flight_here'])
      return candidates.length === 3 && candidates.every((count) => count === 0)
    },
    5_000,
    () => `still in flight: ${JSON.stringify(candidates)}`,
  )
}
