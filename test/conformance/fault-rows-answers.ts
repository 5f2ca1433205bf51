// The fault table: answers that do not come, and answers that are wrong from the start.

import { gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { LAST_CHUNK, SSE_HEAD, chunk, wholeAnswer, type RawAnswer } from '../support/raw-worker.ts'
import type { AnswerFault } from './answer-fault.ts'
import { answerWell, event } from './fault-bench.ts'

const JSON_ANSWER = JSON.stringify({ choices: [{ message: { role: 'assistant', content: 'é half an answer' } }] })
const REFUSED = JSON.stringify({ error: { message: 'é', type: 'BadRequestError', param: null, code: 400 } })

const says =
  (text: string | Buffer): RawAnswer =>
  ({ write }) =>
    write(text)
const head = (...lines: readonly string[]) => `${lines.join('\r\n')}\r\n\r\n`
const OK = 'HTTP/1.1 200 OK'
const JSON_TYPE = 'content-type: application/json'

/** A status with a body of the worker's own. */
const status = (code: number, ...lines: readonly string[]): RawAnswer => {
  const body = JSON.stringify({ error: { message: `worker says ${code}`, type: 'X', param: null, code } })
  return says(head(`HTTP/1.1 ${code} Said so`, JSON_TYPE, `content-length: ${body.length}`, ...lines) + body)
}

const BROKEN_OFF = {
  // workerd has the same words for a worker that broke off as for one that is gone.
  seen: { kind: 'refused', code: 'upstream_unreachable', untold: 'no_worker' },
  isRetried: true,
  counts: 'fault',
} as const

const UNUSABLE = {
  seen: { kind: 'refused', code: 'upstream_invalid' },
  attempt: { outcome: 'invalid', reason: 'upstream_invalid' },
  isRetried: false,
  counts: 'fault',
} as const

const CUT = {
  seen: { kind: 'refused', code: 'upstream_invalid' },
  attempt: { outcome: 'invalid', reason: 'truncated' },
  isRetried: true,
  counts: 'fault',
} as const

const WELL = {
  seen: { kind: 'passed', status: 200 },
  attempt: { outcome: 'answered', status: 200 },
  isRetried: false,
  counts: 'success',
} as const

const failing = (code: number, isRetried: boolean, counts: AnswerFault['counts']) =>
  ({
    seen: { kind: 'passed', status: code },
    attempt: { outcome: 'answered', status: code },
    isRetried,
    counts,
  }) as const

/** Connections that break, stay silent, or speak something else. */
export const SILENT_ANSWERS: readonly AnswerFault[] = [
  {
    id: 'F04',
    fault: 'the worker resets the connection before its answer',
    answer: ({ socket }) => void socket.resetAndDestroy(),
    attempt: { outcome: 'unreachable', reason: ['reset', 'closed', 'network'] },
    ...BROKEN_OFF,
  },
  {
    id: 'F05',
    fault: 'the worker closes the connection before its answer',
    answer: ({ socket }) => void socket.end(),
    attempt: { outcome: 'unreachable', reason: ['reset', 'closed', 'network'] },
    ...BROKEN_OFF,
  },
  {
    id: 'F06',
    fault: 'the worker takes the request and never answers',
    answer: () => {},
    seen: { kind: 'refused', code: 'upstream_timeout' },
    attempt: { outcome: 'timeout', reason: 'first_byte' },
    isRetried: true,
    counts: 'fault',
  },
  {
    id: 'F17',
    fault: 'what the worker says is no HTTP',
    answer: async ({ write, socket }) => {
      await write('SSH-2.0-OpenSSH_9.2 secret-banner\r\n\r\n')
      socket.end()
    },
    attempt: { outcome: 'unreachable', reason: ['not_http', 'reset', 'closed', 'network'] },
    look: ({ text }) => expect(text).not.toContain('secret-banner'),
    ...BROKEN_OFF,
  },
  {
    id: 'F30',
    fault: 'the worker sends early hints (103) before its answer',
    answer: async (exchange) => {
      await exchange.write('HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n')
      await answerWell(exchange)
    },
    look: ({ headers }) => expect(headers['link']).toBeUndefined(),
    ...WELL,
  },
]

/** Answers whose length, encoding or type is not what they say. */
export const WRONG_ANSWERS: readonly AnswerFault[] = [
  {
    id: 'F14',
    fault: 'an answer is shorter than its Content-Length',
    answer: async ({ write, socket }) => {
      await write(head(OK, JSON_TYPE, `content-length: ${JSON_ANSWER.length + 50}`) + JSON_ANSWER)
      socket.end()
    },
    ...CUT,
  },
  {
    id: 'F15',
    fault: 'an answer is longer than its Content-Length',
    answer: says(head(OK, JSON_TYPE, 'content-length: 20') + JSON_ANSWER),
    ...UNUSABLE,
  },
  {
    id: 'F16',
    fault: 'a second answer follows that nobody asked for',
    answer: async (exchange) => {
      await answerWell(exchange)
      await exchange.write(wholeAnswer('200 OK', 'application/json', '{"choices":[],"smuggled":true}'))
    },
    look: ({ text }) => expect(text).not.toContain('smuggled'),
    ...WELL,
  },
  {
    id: 'F18',
    fault: 'an answer is gzip, though plain was asked for',
    answer: (exchange) => {
      const body = gzipSync(JSON.stringify({ text: `answer to ${/^x-request-id: *(\S+)/im.exec(exchange.head)?.[1]}` }))
      const lines = head(OK, JSON_TYPE, 'content-encoding: gzip', `content-length: ${body.length}`)
      return exchange.write(Buffer.concat([Buffer.from(lines), body]))
    },
    look: ({ headers, text, id }) => {
      expect(headers['content-encoding']).toBeUndefined()
      expect(JSON.parse(text)).toEqual({ text: `answer to ${id}` })
    },
    ...WELL,
  },
  {
    id: 'F18',
    fault: 'an answer says that it is gzip, and is not',
    answer: says(
      head(OK, JSON_TYPE, 'content-encoding: gzip', `content-length: ${JSON_ANSWER.length + 1}`) + JSON_ANSWER,
    ),
    ...CUT,
  },
  {
    id: 'F18',
    fault: 'a stream says that it is gzip, and is not',
    isStream: true,
    answer: says(
      SSE_HEAD.replace('\r\n\r\n', '\r\ncontent-encoding: gzip\r\n\r\n') +
        chunk(event('plain')).toString('latin1') +
        LAST_CHUNK,
    ),
    ...CUT,
    attempt: { outcome: 'invalid', reason: 'no_event' },
    seen: { kind: 'refused', code: 'upstream_unreachable' },
  },
  {
    id: 'F19',
    fault: 'an answer is encoded two hundred times over',
    answer: says(
      head(
        OK,
        JSON_TYPE,
        `content-encoding: ${Array.from({ length: 200 }, () => 'gzip').join(', ')}`,
        'content-length: 2',
      ) + '{}',
    ),
    ...UNUSABLE,
  },
  {
    id: 'F24',
    fault: 'a stream is asked for, and a page of HTML comes with status 200',
    isStream: true,
    answer: says(wholeAnswer('200 OK', 'text/html', '<h1>Welcome</h1>')),
    ...UNUSABLE,
  },
  {
    id: 'F24',
    fault: 'a stream is asked for, and JSON comes with status 200',
    isStream: true,
    answer: says(wholeAnswer('200 OK', 'application/json', JSON_ANSWER)),
    ...UNUSABLE,
  },
  {
    id: 'F24',
    fault: 'a stream is asked for, and nothing comes with status 204',
    isStream: true,
    answer: says('HTTP/1.1 204 No Content\r\n\r\n'),
    ...UNUSABLE,
  },
  {
    id: 'F29',
    fault: 'the worker redirects',
    answer: says(head('HTTP/1.1 307 Elsewhere', 'location: http://10.0.0.1:9/secret', 'content-length: 0')),
    look: ({ headers, text }) => expect(JSON.stringify(headers) + text).not.toContain('10.0.0.1'),
    ...UNUSABLE,
  },
]

/** Statuses that say no. */
export const FAILED_ANSWERS: readonly AnswerFault[] = [
  {
    id: 'F25',
    fault: 'a stream is asked for, and a 400 with JSON comes',
    isStream: true,
    answer: says(wholeAnswer('400 Bad Request', 'application/json', REFUSED)),
    look: ({ headers, text }) => expect([headers['content-type'], text]).toEqual(['application/json', REFUSED]),
    ...failing(400, false, 'nothing'),
  },
  {
    id: 'F26',
    fault: 'the worker answers 429 with Retry-After',
    answer: status(429, 'retry-after: 7'),
    look: ({ headers }) => expect(headers['retry-after']).toBe('7'),
    ...failing(429, true, 'pressure'),
  },
  { id: 'F27', fault: 'the worker answers 500', answer: status(500), ...failing(500, false, 'fault') },
  { id: 'F28', fault: 'the worker answers 502', answer: status(502), ...failing(502, true, 'fault') },
  {
    id: 'F28',
    fault: 'the worker answers 503',
    answer: status(503),
    look: ({ headers }) => expect(Number(headers['retry-after'])).toBeGreaterThan(0),
    ...failing(503, true, 'pressure'),
  },
  { id: 'F28', fault: 'the worker answers 504', answer: status(504), ...failing(504, true, 'fault') },
  {
    id: 'F31',
    fault: 'an answer sets cookies, and headers that are none of ASCII or of ours',
    answer: (exchange) => {
      const body = `{"text":"answer to ${/^x-request-id: *(\S+)/im.exec(exchange.head)?.[1]}"}`
      return exchange.write(
        Buffer.from(
          head(
            OK,
            JSON_TYPE,
            `content-length: ${body.length}`,
            'set-cookie: session=secret',
            'set-cookie: b=2',
          ).replace('\r\n\r\n', '\r\nx-vllm-router-worker: somebody-else\r\nx-name: 模型\r\nserver: uvicorn\r\n\r\n') +
            body,
        ),
      )
    },
    look: ({ headers }) => {
      for (const name of ['set-cookie', 'x-name', 'server']) expect(headers[name]).toBeUndefined()
      expect(headers['x-vllm-router-worker']).not.toContain('somebody-else')
    },
    ...WELL,
  },
]
