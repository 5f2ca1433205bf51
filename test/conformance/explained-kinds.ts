// Every kind of answer that an inference route can give, and what its headers must say.

import { audioForm, type Answered, ask, chatBody, postJson } from '../support/ask.ts'

/** The key that callers need. */
export const EXPLAINED_KEY = 'sesame-0123456789'
const CHAT = '/v1/chat/completions'

/** What the headers say; null for one that must not be there. */
export interface Told {
  readonly worker: string | null
  readonly method: 'policy' | 'none' | 'rejected'
  readonly model: string | null
  readonly 'cache-status': 'bypass' | null
  readonly attempts: string
  /** Whether a record exists. */
  readonly isRecorded: boolean
}

export interface Kind {
  readonly name: string
  readonly status: number
  readonly send: (url: string) => Promise<Answered>
  readonly told: Partial<Told>
}

export const keyed = { 'x-api-key': EXPLAINED_KEY }
/** Sends JSON to a path of the router. */
export const post =
  (path: string, body: unknown, headers: Record<string, string> = keyed) =>
  (url: string) =>
    postJson(url + path, body, headers)
const fault = (faults: object) => ({ ...keyed, 'x-sim-fault': JSON.stringify(faults) })

export const ANSWERED: Told = {
  worker: 'one',
  method: 'policy',
  model: 'm',
  'cache-status': 'bypass',
  attempts: '1',
  isRecorded: true,
}
const REFUSED: Told = {
  worker: null,
  method: 'rejected',
  model: null,
  'cache-status': 'bypass',
  attempts: '0',
  isRecorded: true,
}
const UNROUTED = { ...REFUSED, method: 'none' } as const
const plain = { 'cache-status': null }

export const EXPLAINED_KINDS: readonly Kind[] = [
  { name: 'an answer', status: 200, send: post(CHAT, chatBody('m')), told: ANSWERED },
  { name: 'a stream', status: 200, send: post(CHAT, { ...chatBody('m'), stream: true }), told: ANSWERED },
  { name: 'a completion', status: 200, send: post('/v1/completions', { model: 'm', prompt: 'x' }), told: ANSWERED },
  { name: 'an alias', status: 200, send: post(CHAT, chatBody('alias')), told: ANSWERED },
  { name: 'messages', status: 200, send: post('/v1/messages', chatBody('m')), told: { ...ANSWERED, ...plain } },
  {
    name: 'embeddings',
    status: 200,
    send: post('/v1/embeddings', { model: 'm', input: 'x' }),
    told: { ...ANSWERED, ...plain },
  },
  {
    name: 'a form',
    status: 200,
    send: (url) => ask(`${url}/v1/audio/transcriptions`, { method: 'POST', headers: keyed, body: audioForm('m') }),
    told: { ...ANSWERED, ...plain },
  },
  {
    name: 'a path passed through',
    status: 200,
    send: (url) => ask(`${url}/ping`, { headers: keyed }),
    told: { ...ANSWERED, ...plain, worker: 'one', model: null },
  },
  { name: 'the worker’s own 400', status: 400, send: post(CHAT, { model: 'm', messages: 3 }), told: ANSWERED },
  {
    name: 'the worker’s own 500',
    status: 500,
    send: post(CHAT, chatBody('m'), fault({ status: 500 })),
    told: ANSWERED,
  },
  {
    name: 'a worker that broke off',
    status: 502,
    send: post(CHAT, chatBody('m'), fault({ truncated_json: true })),
    told: ANSWERED,
  },
  { name: 'no key', status: 401, send: post(CHAT, chatBody('m'), {}), told: { ...REFUSED, isRecorded: false } },
  { name: 'no JSON', status: 400, send: post(CHAT, '{'), told: REFUSED },
  {
    name: 'another type',
    status: 415,
    send: post(CHAT, '{}', { ...keyed, 'content-type': 'text/plain' }),
    told: REFUSED,
  },
  { name: 'too large', status: 413, send: post(CHAT, ' '.repeat(5_000)), told: REFUSED },
  { name: 'an unknown model', status: 404, send: post(CHAT, chatBody('nope')), told: UNROUTED },
  {
    name: 'an alias of nobody',
    status: 503,
    send: post(CHAT, chatBody('to-nobody')),
    told: { ...UNROUTED, model: 'nobody' },
  },
  {
    name: 'a model whose worker is down',
    status: 503,
    send: post(CHAT, chatBody('ghost')),
    told: { ...UNROUTED, model: 'ghost' },
  },
  {
    name: 'no such method',
    status: 405,
    send: (url) => ask(url + CHAT, { headers: keyed }),
    told: { ...REFUSED, isRecorded: false },
  },
  {
    name: 'an unknown response',
    status: 404,
    send: (url) => ask(`${url}/v1/responses/resp_1`, { headers: keyed }),
    told: { ...REFUSED, ...plain },
  },
]
