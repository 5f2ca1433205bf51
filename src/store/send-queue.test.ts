import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFakeClock, type FakeClock } from '../../test/support/fake-clock.ts'
import {
  BATCH_LINES,
  MAX_QUEUED,
  SEND_PAUSE_MS,
  SendQueue,
  type SendOutcome,
  type SendQueueOptions,
  type SentLine,
} from './send-queue.ts'

const ALL_TAKEN: SendOutcome = { refused: new Set(), failure: null }

function lineOf(id: string, line = `{"decision_id":"${id}"}`): SentLine {
  return { id, timeMs: 0, facets: '', line, view: null }
}

/** Lets promises that have settled be heard of. */
async function turn(): Promise<void> {
  for (let at = 0; at < 20; at += 1) await Promise.resolve()
}

async function pass(clock: FakeClock, ms: number, stepMs = 50): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs)
    await turn()
  }
}

/** A queue whose sends are noted, and answered by `answer`. */
function createQueue(answer: SendQueueOptions['send'] = async () => ALL_TAKEN) {
  const told: string[] = []
  const reasons: string[] = []
  const clock = createFakeClock()
  const sends: (readonly SentLine[])[] = []
  const queue = new SendQueue({
    now: clock.now,
    after: clock.after,
    onChange({ state, reason }) {
      told.push(state)
      reasons.push(reason)
    },
    send: (lines, onTaken) => (sends.push(lines), answer(lines, onTaken)),
  })
  return { clock, queue, sends, told, reasons }
}

describe('a queue of an isolate', () => {
  test('sends the first at once, those of the next second together', async () => {
    const { clock, queue, sends } = createQueue()
    await queue.add([lineOf('a')])
    expect(sends).toHaveLength(1)
    const rest = ['b', 'c', 'd'].map((id) => queue.add([lineOf(id)]))
    await pass(clock, SEND_PAUSE_MS - 100)
    expect(sends).toHaveLength(1)
    await pass(clock, 400)
    for (const written of rest) await written
    expect(sends.map((lines) => lines.map(({ id }) => id))).toEqual([['a'], ['b', 'c', 'd']])
    expect(queue.status()).toEqual({ taken: 4, waiting: 0, lost: 0, failing: null })
  })

  test('does not pause when many wait', async () => {
    const { queue, sends } = createQueue()
    await queue.add([lineOf('first')])
    const added = Array.from({ length: BATCH_LINES }, (_, n) => queue.add([lineOf(String(n))]))
    // The last sends them, the first would after its pause, the others have nothing to wait for.
    await added.at(-1)
    expect(sends.at(-1)).toHaveLength(BATCH_LINES)
    expect(added.slice(1, -1).every((written) => written === null)).toBe(true)
  })

  test('sends those again that were refused, and no others', async () => {
    let isDown = true
    const { clock, queue, sends, told } = createQueue(async (lines) =>
      isDown ? { refused: new Set(lines.filter(({ id }) => id !== 'b')), failure: 'object overloaded' } : ALL_TAKEN,
    )
    const added = [queue.add([lineOf('a'), lineOf('b'), lineOf('c')])]
    await turn()
    expect(queue.status()).toMatchObject({ taken: 1, waiting: 2, lost: 0, failing: 'object overloaded' })
    await pass(clock, 5_000)
    isDown = false
    await pass(clock, 10_000)
    for (const written of added) await written
    expect(sends.slice(1).every((lines) => lines.map(({ id }) => id).join() === 'a,c')).toBe(true)
    expect(sends.length).toBeLessThan(10)
    expect(queue.status()).toEqual({ taken: 3, waiting: 0, lost: 0, failing: null })
    expect(told).toEqual(['failing', 'recovered'])
  })

  test('sends for a request that is gone', async () => {
    let isFirst = true
    const { clock, queue, sends } = createQueue(() => {
      // The request that makes this call is ended by the platform: its promise never settles.
      if (isFirst) {
        isFirst = false
        return new Promise(() => {})
      }
      return Promise.resolve(ALL_TAKEN)
    })
    void queue.add([lineOf('a')])
    await queue.add([lineOf('b')])
    await pass(clock, 9_000)
    expect(queue.status()).toMatchObject({ taken: 0, waiting: 2 })
    await pass(clock, 2_000)
    const next = queue.add([lineOf('c')])
    await pass(clock, 2_000)
    await next
    expect(
      sends
        .at(-1)
        ?.map(({ id }) => id)
        .sort(),
    ).toEqual(['a', 'b', 'c'])
    expect(queue.status()).toMatchObject({ taken: 3, waiting: 0, lost: 0 })
  })

  test('does not wait long for one that pauses and is gone', async () => {
    const clock = createFakeClock()
    const sends: number[] = []
    let isGone = true
    const queue = new SendQueue({
      now: clock.now,
      // Its timer never fires.
      after: (delayMs, task) => (isGone ? () => {} : clock.after(delayMs, task)),
      onChange: () => {},
      send: async (lines) => (sends.push(lines.length), ALL_TAKEN),
    })
    await queue.add([lineOf('a')])
    void queue.add([lineOf('b')])
    isGone = false
    await pass(clock, 1_900)
    await queue.add([lineOf('c')])
    expect(sends).toEqual([1])
    await pass(clock, 200)
    await queue.add([lineOf('d')])
    expect(sends).toEqual([1, 3])
  })

  test('gives up waiting in time, and leaves its records to the next request', async () => {
    let isDown = true
    const { clock, queue } = createQueue(async (lines) =>
      isDown ? { refused: new Set(lines), failure: 'unreachable' } : ALL_TAKEN,
    )
    const given = queue.add([lineOf('a')])?.catch((error: unknown) => error)
    await pass(clock, 30_000)
    expect(String(await given)).toContain('unreachable')
    expect(queue.status()).toMatchObject({ waiting: 1, lost: 0 })
    isDown = false
    const next = queue.add([lineOf('b')])
    await pass(clock, 10_000)
    await next
    expect(queue.status()).toMatchObject({ taken: 2, waiting: 0 })
  })

  test('has an end; what there is no room for is counted', async () => {
    const { queue, told } = createQueue(async (lines) => ({ refused: new Set(lines), failure: 'unreachable' }))
    const outcomes = Array.from({ length: MAX_QUEUED + 10 }, (_, n) => queue.add([lineOf(String(n))]))
    for (const outcome of outcomes.slice(-10)) await expect(outcome).rejects.toThrow('no room')
    for (const outcome of outcomes) outcome?.catch(() => {})
    expect(queue.status()).toMatchObject({ waiting: MAX_QUEUED, lost: 10 })
    expect(told.toSorted()).toEqual(['failing', 'losing'])
  })

  test('goes on at its pace for what others take, while one object is down', async () => {
    const { clock, queue, sends } = createQueue(async (lines) => {
      const stuck = lines.filter(({ id }) => id === 'stuck')
      return { refused: new Set(stuck), failure: stuck.length === 0 ? null : 'overloaded' }
    })
    queue.add([lineOf('stuck')])?.catch(() => {})
    for (let second = 0; second < 18; second += 1) {
      queue.add([lineOf(String(second))])?.catch(() => {})
      await pass(clock, 1_000)
    }
    expect(queue.status()).toMatchObject({ waiting: 1, lost: 0, failing: 'overloaded' })
    // The object that is down is not asked more often than any other.
    expect(sends.length).toBeGreaterThan(14)
    expect(sends.length).toBeLessThan(22)
  })

  test('has an end in bytes too', async () => {
    const { queue } = createQueue(async (lines) => ({ refused: new Set(lines), failure: 'unreachable' }))
    const long = 'x'.repeat(1_800_000)
    const outcomes = Array.from({ length: 5 }, (_, n) => queue.add([lineOf(String(n), long)]))
    await expect(outcomes.at(-1)).rejects.toThrow('no room')
    for (const outcome of outcomes) outcome?.catch(() => {})
    expect(queue.status()).toMatchObject({ waiting: 4, lost: 1 })
  })

  test('loses what no object can hold at once, says why, and goes on with the others', async () => {
    const { queue, sends, reasons } = createQueue()
    const tooLong = lineOf('long', 'x'.repeat(2_000_000))
    await expect(queue.add([tooLong])).rejects.toThrow('longer than')
    expect(queue.status()).toMatchObject({ waiting: 0, lost: 1 })
    await queue.add([tooLong, lineOf('short')])
    expect(sends.map((lines) => lines.map(({ id }) => id))).toEqual([['short']])
    expect(queue.status()).toEqual({ taken: 1, waiting: 0, lost: 2, failing: null })
    expect(reasons[0]).toContain('longer than')
  })

  test('knows what is taken while another object does not answer, and sends the rest alone', async () => {
    let isHanging = true
    const { clock, queue, sends } = createQueue((lines, onTaken) => {
      if (!isHanging) return Promise.resolve(ALL_TAKEN)
      onTaken(lines.filter(({ id }) => id !== 'stuck'))
      return new Promise(() => {})
    })
    void queue.add([lineOf('stuck'), lineOf('a'), lineOf('b')])
    await turn()
    expect(queue.status()).toMatchObject({ taken: 2, waiting: 1, lost: 0 })
    isHanging = false
    await pass(clock, 11_000)
    await queue.add([lineOf('c')])
    expect(
      sends
        .slice(1)
        .flatMap((lines) => lines.map(({ id }) => id))
        .toSorted(),
    ).toEqual(['c', 'stuck'])
    expect(queue.status()).toMatchObject({ taken: 4, waiting: 0 })
  })

  /**
   * An isolate that vanishes loses what nobody has taken yet. Whatever comes when, and however objects answer within a
   * second: that is what came within the last two.
   */
  test('never holds a record for longer than its bound while objects answer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 2_000 }), count: fc.integer({ min: 1, max: 40 }) }), {
          maxLength: 25,
        }),
        fc.integer({ min: 0, max: 1_000 }),
        async (bursts, answerMs) => {
          const clock = createFakeClock()
          const wait = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve))
          const cameAtMs = new Map<string, number>()
          const queue = new SendQueue({
            now: clock.now,
            after: clock.after,
            onChange: () => {},
            async send(lines) {
              await wait(answerMs)
              for (const { id } of lines) cameAtMs.delete(id)
              return ALL_TAKEN
            },
          })
          let n = 0
          for (const { afterMs, count } of bursts) {
            for (let passed = 0; passed < afterMs; passed += 50) {
              await pass(clock, 50)
              for (const atMs of cameAtMs.values())
                expect(clock.now() - atMs).toBeLessThanOrEqual(SEND_PAUSE_MS + 2 * answerMs + 300)
            }
            for (let at = 0; at < count; at += 1) {
              n += 1
              cameAtMs.set(String(n), clock.now())
              void queue.add([lineOf(String(n))])
            }
          }
          await pass(clock, 6_000)
          expect(cameAtMs.size).toBe(0)
          expect(queue.status()).toMatchObject({ taken: n, waiting: 0, lost: 0 })
        },
      ),
      { numRuns: 60 },
    )
  })
})
