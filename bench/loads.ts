// What is sent in a benchmark, and how long the right answer to it is.

import { CHAT_ANSWER, EMBEDDINGS_ANSWER, MODEL, STREAM_EVENTS } from './upstream/answers.ts'

export const LOAD_NAMES = ['chat-2kb', 'chat-64kb', 'chat-1mb', 'sse', 'embeddings'] as const

export type LoadName = (typeof LOAD_NAMES)[number]

export interface Load {
  readonly path: string
  readonly body: Buffer
  /** Bytes of the answer's body; a different number is a wrong answer. */
  readonly answerBytes: number
}

/** The key that every request carries. */
export const BEARER = 'sk-no-key-needed'

const WORDS =
  'The router receives a request, decides which worker handles it, and can explain why it went \\"there\\". '

export function loadNamed(name: LoadName): Load {
  switch (name) {
    case 'chat-2kb':
      return chat(2 * 1024, false)
    case 'chat-64kb':
      return chat(64 * 1024, false)
    case 'chat-1mb':
      return chat(1024 * 1024, false)
    case 'sse':
      return chat(2 * 1024, true)
    case 'embeddings': {
      const body = Buffer.from(`{"model":"${MODEL}","input":["${WORDS}","${WORDS}"]}`)
      return { path: '/v1/embeddings', body, answerBytes: EMBEDDINGS_ANSWER.length }
    }
  }
}

/** A chat of exactly `bytes` bytes, with a few turns, as clients send them. */
function chat(bytes: number, isStreamed: boolean): Load {
  const usage = isStreamed ? ',"stream_options":{"include_usage":true}' : ''
  const start = `{"model":"${MODEL}","stream":${isStreamed}${usage},"temperature":0.7,"max_tokens":256,"messages":[`
  const turns =
    '{"role":"system","content":"Be brief."},{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi!"},'
  const open = `${start}${turns}{"role":"user","content":"`
  const close = '"}]}'
  const room = bytes - open.length - close.length
  const prompt = WORDS.repeat(Math.floor(room / WORDS.length))
  const body = Buffer.from(open + prompt + 'x'.repeat(room - prompt.length) + close)
  const answerBytes = isStreamed ? Buffer.concat(STREAM_EVENTS).length : CHAT_ANSWER.length
  return { path: '/v1/chat/completions', body, answerBytes }
}

/** The request as it goes over the wire. */
export function requestBytes(load: Load, host: string, headers: readonly string[] = []): Buffer {
  const head = [
    `POST ${load.path} HTTP/1.1`,
    `host: ${host}`,
    'user-agent: OpenAI/Python 1.99.0',
    'accept: application/json',
    `authorization: Bearer ${BEARER}`,
    'content-type: application/json',
    `content-length: ${load.body.length}`,
    ...headers,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), load.body])
}
