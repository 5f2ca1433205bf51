// The fault table: clients that leave.

import { expect } from 'vitest'
import { send } from '../support/http-client.ts'
import { until } from '../support/launch.ts'
import { type FaultRow } from './fault-row.ts'
import { ABORT_MS, ask, type Bench, chat, ENDLESS_TOKENS, untilAborted, withFaults } from './stream-bench.ts'

/** The bench is opened once tests run, after they are registered. */
type GivenBench = () => Bench

const LEAVES = ['reset', 'close'] as const

async function beforeHeaders(given: GivenBench): Promise<void> {
  const bench = given()
  await withFaults(bench.sim, { hang: true }, async () => {
    for (const how of LEAVES) {
      const { disconnects } = bench.sim.state()
      const { id, leave } = ask(bench, chat, 'sim')
      await until(
        () => bench.sim.state().requests.some(({ headers }) => headers['x-request-id'] === id),
        5_000,
        () => 'the request did not arrive',
      )
      leave(how)
      await until(
        () => bench.sim.state().disconnects === disconnects + 1,
        ABORT_MS,
        () => 'the worker was not let go',
      )
      expect(await bench.record(id)).toMatchObject({
        status: 499,
        lifecycle_state: 'aborted',
        attempts: [{ outcome: 'aborted' }],
      })
    }
  })
}

async function inMidStream(given: GivenBench): Promise<void> {
  const bench = given()
  for (const how of LEAVES) {
    const before = bench.sim.state()
    const { id, reply, leave } = ask(bench, chat, 'sim', { tokens: ENDLESS_TOKENS })
    await (await reply).until('data:')
    leave(how)
    await untilAborted(bench.sim, before.aborted + 1)
    expect(await bench.record(id)).toMatchObject({ stream_end: 'client_aborted', lifecycle_state: 'aborted' })
  }
}

async function whileTheWorkerThinks(given: GivenBench): Promise<void> {
  const bench = given()
  const before = bench.sim.state()
  const id = bench.id()
  const body = chat.body('sim', { tokens: ENDLESS_TOKENS, isStream: false })
  const { leave } = send(bench.router.url + chat.path, body, { headers: { 'x-request-id': id } })
  await until(
    () => bench.sim.state().running === before.running + 1,
    5_000,
    () => 'the request did not arrive',
  )
  leave('reset')
  await untilAborted(bench.sim, before.aborted + 1)
  expect(await bench.record(id)).toMatchObject({ status: 499, lifecycle_state: 'aborted' })
}

const GONE = { client: 'nobody is there to see it', retried: 'no', breaker: 'nothing' } as const

export const CLIENT_ROWS: readonly FaultRow<GivenBench>[] = [
  {
    id: 'F37',
    fault: 'a client leaves before the answer has begun',
    record: '499, `aborted`; the worker is let go at once',
    ...GONE,
    prove: beforeHeaders,
  },
  {
    id: 'F37',
    fault: 'a client leaves while a worker is at work on an answer that is no stream',
    record: '499, `aborted`; the worker is let go at once',
    ...GONE,
    prove: whileTheWorkerThinks,
  },
  {
    id: 'F38',
    fault: 'a client leaves in the middle of a stream',
    record: 'stream end `client_aborted`; the worker is let go at once',
    ...GONE,
    prove: inMidStream,
  },
]
