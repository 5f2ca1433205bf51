// Faults of a single answer, as data: what a worker sends, and what comes of it. Each is proved with one worker, and with
// another one beside it; the words of the page are made of what is proved.

import { expect } from 'vitest'
import { ERROR_CODES, type ErrorCodeName } from '../../src/errors/codes.ts'
import { until } from '../support/launch.ts'
import type { RawAnswer } from '../support/raw-worker.ts'
import { type Asked, answerWell, expectServed, type FaultBench, type ShownRecord } from './fault-bench.ts'
import { parseEvents } from './dialect.ts'
import type { FaultRow } from './fault-row.ts'

export interface AnswerFault {
  readonly id: `F${number}`
  readonly fault: string
  readonly answer: RawAnswer
  /** The client asks for a stream. */
  readonly isStream?: boolean
  /** What the client gets where nobody else serves the model. */
  readonly seen: Seen
  /** The attempt's line in the record; `reason` as a list where runtimes have different words. */
  readonly attempt: { readonly outcome: string; readonly reason?: string | readonly string[]; readonly status?: number }
  /** Whether another worker serves the request. */
  readonly isRetried: boolean
  readonly counts: 'fault' | 'pressure' | 'success' | 'nothing'
  /** Another look at the answer. */
  readonly look?: (asked: Asked) => void
}

type Seen =
  /** The router's own error. */
  | {
      readonly kind: 'refused'
      readonly code: ErrorCodeName
      /** The same where the runtime can't tell what broke from what was never there. */
      readonly untold?: ErrorCodeName
    }
  /** A stream that ends with an error event. */
  | { readonly kind: 'error_event'; readonly code: ErrorCodeName }
  /** The worker's own answer. */
  | { readonly kind: 'passed'; readonly status: number; readonly end?: string }

/** The fault as a row of the table. */
export function toRow(fault: AnswerFault): FaultRow<FaultBench> {
  const { id, attempt } = fault
  return {
    id,
    fault: fault.fault,
    client: clientWords(fault.seen),
    record: recordWords(attempt, fault.seen),
    retried: fault.isRetried ? 'yes' : 'no',
    breaker: BREAKER_WORDS[fault.counts],
    // Some take all of their time, with one worker and with two.
    limitMs: 60_000,
    prove: (bench) => prove(bench, fault),
  }
}

/** Name of a fault's workers; a row may have several faults. */
export function workersOf({ id, fault }: Pick<AnswerFault, 'id' | 'fault'>): string {
  return `${id}-${fault.replaceAll(/[^A-Za-z0-9]+/g, '-').slice(0, 60)}`
}

async function prove(bench: FaultBench, fault: AnswerFault): Promise<void> {
  const name = workersOf(fault)
  const { isStream = false } = fault
  const worker = bench.alone(name)
  worker.answer(fault.answer)
  bench.answerFirst(name, fault.answer)
  // Beside one another, as some take all the time there is.
  const [asked, beside] = await Promise.all([bench.ask(name, { isStream }), bench.ask(`${name}+`, { isStream })])
  const record = await bench.record(asked.id)
  expectSeen(asked, fault, record)
  expectRecord(asked, fault, record)

  worker.answer(answerWell)
  // Who answered wrongly is still used, and no answer of theirs is taken for that of another request.
  for (let turn = 0; turn < 2; turn += 1) expectServed(await bench.ask(name, { isStream }))
  await expectCounted(bench, name, fault.counts)

  expect(beside.headers['x-vllm-router-attempts']).toBe(fault.isRetried ? '2' : '1')
  const { attempts, ...besideRecord } = await bench.record(beside.id)
  if (!fault.isRetried) return expectSeen(beside, fault, { ...besideRecord, attempts })
  expectServed({ ...beside, id: `${beside.id}-r1` })
  expect(attempts.map(({ outcome }) => outcome)).toEqual([fault.attempt.outcome, 'answered'])
  expect(new Set(attempts.map(({ worker: id }) => id))).toEqual(new Set([`${name}-a`, `${name}-b`]))
}

function expectSeen(asked: Asked, { seen, isStream = false, look }: AnswerFault, record: ShownRecord): void {
  const { headers, status, text } = asked
  expect(headers['x-vllm-router-attempts']).toBe('1')
  expect(headers['x-request-id']).toBe(asked.id)
  // Where the worker is, is nobody's business.
  expect(JSON.stringify(headers) + text).not.toMatch(/127\.0\.0\.1/)
  if (seen.kind === 'refused') {
    const isUntold = record.attempts[0]?.reason === 'network'
    const code = isUntold ? (seen.untold ?? seen.code) : seen.code
    expect([status, JSON.parse(text).error], text).toEqual([
      ERROR_CODES[code].status,
      { code, type: ERROR_CODES[code].type, message: expect.any(String), param: null },
    ])
    expect(headers['content-type']).toBe('application/json')
    if (status === 503) expect(Number(headers['retry-after'])).toBeGreaterThan(0)
  } else if (seen.kind === 'error_event') {
    expect([status, headers['content-type']], text).toEqual([200, expect.stringContaining('text/event-stream')])
    const events = parseEvents(asked.bytes)
    expect(
      events.filter(({ data }) => data.includes('"error"')).map(({ data }) => JSON.parse(data).error.code),
    ).toEqual([seen.code])
    // At most a terminator of the worker's own follows, which clients that have raised never see.
    expect(events.filter(({ data }) => data !== '[DONE]').at(-1)?.data, text).toContain(seen.code)
  } else {
    expect(status, text.slice(0, 400)).toBe(seen.status)
    // Some are too long to be shown where they differ.
    if (isStream && status === 200) expect(text.includes('data: [DONE]'), text.slice(0, 200)).toBe(true)
  }
  look?.(asked)
}

function expectRecord({ status, text }: Asked, fault: AnswerFault, record: ShownRecord): void {
  const { seen, attempt } = fault
  expect(record.status).toBe(status)
  expect(record.attempts).toHaveLength(1)
  const { reason, ...line } = attempt
  expect(record.attempts[0]).toMatchObject({ worker: workersOf(fault), ...line })
  if (reason !== undefined) expect([reason].flat()).toContain(record.attempts[0]?.reason)
  if (seen.kind === 'refused') expect(record.error).toBe(JSON.parse(text).error.code)
  if (seen.kind === 'error_event') expect(record.stream_end).toBe(END_OF_CODE[seen.code] ?? '')
  if (seen.kind === 'passed') expect(record.stream_end).toBe(seen.end ?? 'complete')
}

const END_OF_CODE: Readonly<Partial<Record<ErrorCodeName, string>>> = {
  upstream_truncated: 'truncated',
  upstream_timeout: 'timeout',
}

/** After the answer of the fault there were two good ones. */
async function expectCounted(bench: FaultBench, name: string, counts: AnswerFault['counts']): Promise<void> {
  const expected = counts === 'fault' ? 1 / 3 : 0
  let shown: number | null = null
  await until(
    async () => {
      shown = await bench.errorRate(name)
      return shown !== null && Math.abs(shown - expected) < 0.01
    },
    10_000,
    () => `${name} has an error rate of ${shown}, not ${expected}`,
  )
}

function clientWords(seen: Seen): string {
  switch (seen.kind) {
    case 'refused': {
      const word = (code: ErrorCodeName) => `${ERROR_CODES[code].status} \`${code}\``
      return seen.untold === undefined ? word(seen.code) : `${word(seen.code)}, or ${word(seen.untold)} on workerd`
    }
    case 'error_event':
      return `200, and an error event \`${seen.code}\` in the stream`
    case 'passed':
      return seen.status === 200 ? '200, the answer as it is' : `${seen.status}, the worker's own answer`
  }
}

function recordWords({ outcome, reason }: AnswerFault['attempt'], seen: Seen): string {
  const words =
    reason === undefined
      ? `\`${outcome}\``
      : `\`${outcome}\`: ${[reason]
          .flat()
          .map((each) => `\`${each}\``)
          .join(' or ')}`
  const end = seen.kind === 'error_event' ? END_OF_CODE[seen.code] : seen.kind === 'passed' ? seen.end : undefined
  return end === undefined ? words : `${words}; stream end \`${end}\``
}

const BREAKER_WORDS: Readonly<Record<AnswerFault['counts'], string>> = {
  fault: 'a fault',
  pressure: 'pressure: a smaller share, no fault',
  success: 'a success',
  nothing: 'nothing',
}
