// The fault table: streams that stop, break, or hold what is hard to read.

import { expect } from 'vitest'
import { chunk, LAST_CHUNK, type RawAnswer, type RawExchange, SSE_HEAD } from '../support/raw-worker.ts'
import type { AnswerFault } from './answer-fault.ts'
import { ENDING, event } from './fault-bench.ts'

/** Sends a few events, then goes on as told. */
const after =
  (then: (exchange: RawExchange) => void | Promise<void>, begin = SSE_HEAD): RawAnswer =>
  async (exchange) => {
    await exchange.write(begin)
    for (const word of ['one', 'two', 'drei']) await exchange.write(chunk(event(word)))
    await then(exchange)
  }

const half = chunk(event('half')).subarray(0, 30)

const TRUNCATED = {
  isStream: true,
  seen: { kind: 'error_event', code: 'upstream_truncated' },
  attempt: { outcome: 'answered', status: 200 },
  isRetried: false,
  counts: 'fault',
} as const

const SILENT = { ...TRUNCATED, seen: { kind: 'error_event', code: 'upstream_timeout' } } as const

const WHOLE = { ...TRUNCATED, seen: { kind: 'passed', status: 200 }, counts: 'success' } as const

const whole =
  (bytes: string | Buffer): RawAnswer =>
  ({ write }) =>
    write(Buffer.concat([Buffer.from(SSE_HEAD), chunk(bytes), Buffer.from(LAST_CHUNK)]))

/** Every spelling that the standard allows, and one that our own clients rely on. */
const SPELT = [
  '\ufeff: a comment\r\n\r\n',
  'event: x\r\nid: 7\r\nretry: 3\r\ndata:{"choices":[{"index":0,"delta":{"content":"CRLF"},"finish_reason":null}]}\r\n\r\n',
  'data: {"choices":[{"index":0,\rdata:"delta":{"content":"CR"},"finish_reason":null}]}\r\r',
  'data:\n\n',
  'data\n\n',
  ENDING,
].join('')

/** A character of four bytes, cut between any two of them. */
const CUT_TEXT = Buffer.from(`${event('é世界😀')}${ENDING}`)

const EVENT_BYTES = 50 * 1024 * 1024
const PIECE_BYTES = 1024 * 1024
const BIG_EVENT = Buffer.concat([
  Buffer.from('data: {"choices":[{"index":0,"delta":{"content":"'),
  Buffer.alloc(EVENT_BYTES, 0x78),
  Buffer.from(`"},"finish_reason":null}]}\n\n${ENDING}`),
])

/** Streams that end without their end. */
export const BROKEN_STREAMS: readonly AnswerFault[] = [
  {
    id: 'F07',
    fault: 'a stream begins with headers, and no event follows',
    answer: ({ write }) => write(SSE_HEAD),
    ...SILENT,
  },
  { id: 'F08', fault: 'a stream falls silent in the middle', answer: after(() => {}), ...SILENT },
  {
    id: 'F10',
    fault: 'the connection is reset in the middle of a stream',
    answer: after(async ({ write, socket }) => {
      await write(half)
      // Bytes that are still under way would be lost to a reset, and there would be no stream to break.
      setTimeout(() => socket.resetAndDestroy(), 100)
    }),
    ...TRUNCATED,
  },
  {
    id: 'F11',
    fault: 'the connection is closed in the middle of a stream',
    answer: after(async ({ write, socket }) => {
      await write(half)
      socket.end()
    }),
    ...TRUNCATED,
  },
  {
    id: 'F12',
    fault: 'a stream ends in good order, but without its terminator',
    answer: after(({ write }) => write(LAST_CHUNK)),
    ...TRUNCATED,
  },
  {
    id: 'F12',
    fault: 'a stream says [DONE] without any finish_reason before it',
    answer: after(({ write }) => write(Buffer.concat([chunk('data: [DONE]\n\n'), Buffer.from(LAST_CHUNK)]))),
    ...TRUNCATED,
  },
  {
    id: 'F13',
    fault: 'a stream without chunks or length just ends',
    answer: async ({ write, socket }) => {
      await write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n${event('one')}`)
      socket.end()
    },
    ...TRUNCATED,
  },
]

/** Streams that only `timeouts.total` ends. */
export const ENDLESS_STREAMS: readonly AnswerFault[] = [
  {
    id: 'F09',
    fault: 'a stream goes on for ever, a byte now and then',
    answer: after(async ({ write, socket }) => {
      while (!socket.destroyed) {
        await write(chunk(':'))
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    }),
    ...SILENT,
    // Longer than all of its time: the worker may have been right.
    counts: 'nothing',
  },
]

/** Streams that are whole, however odd. */
export const ODD_STREAMS: readonly AnswerFault[] = [
  {
    id: 'F12',
    fault: 'the last line of a stream, data: [DONE], has no blank line after it',
    answer: whole(event('x') + ENDING.slice(0, -2)),
    ...WHOLE,
  },
  {
    id: 'F20',
    fault: 'a stream has one event of 50 MB',
    async answer({ write }) {
      await write(SSE_HEAD)
      for (let at = 0; at < BIG_EVENT.length; at += PIECE_BYTES) {
        await write(chunk(BIG_EVENT.subarray(at, at + PIECE_BYTES)))
      }
      await write(LAST_CHUNK)
    },
    look: ({ bytes }) => expect(bytes.equals(BIG_EVENT)).toBe(true),
    ...WHOLE,
  },
  {
    id: 'F21',
    fault: 'a stream is spelt in every way there is: CR, CRLF, BOM, comments, empty data, data in several lines',
    answer: whole(SPELT),
    look: ({ text }) => expect(text).toBe(SPELT),
    ...WHOLE,
  },
  {
    id: 'F22',
    fault: 'a stream comes in pieces that end in the middle of characters',
    answer: async ({ write }) => {
      await write(SSE_HEAD)
      for (const byte of CUT_TEXT) await write(chunk(Buffer.of(byte)))
      await write(LAST_CHUNK)
    },
    look: ({ bytes }) => expect(bytes.equals(CUT_TEXT)).toBe(true),
    ...WHOLE,
  },
  {
    id: 'F23',
    fault: 'an event of a stream has broken JSON',
    answer: whole(`${event('x')}data: {oops\n\n${ENDING}`),
    look: ({ text }) => expect(text).toBe(`${event('x')}data: {oops\n\n${ENDING}`),
    ...WHOLE,
  },
]
