import { expect, test } from 'vitest'
import type { StoredAnswer } from '../cache/response-store.ts'
import { AnswerKeeper, type AnswerKeeperOptions, type KeptHead } from './answer-keeper.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const JSON_TYPE = { 'content-type': 'application/json' }
const STREAM_TYPE = { 'content-type': 'text/event-stream; charset=utf-8' }

interface Told {
  readonly head?: Partial<Omit<KeptHead, 'headers'>> & { readonly headers?: Record<string, string> }
  readonly options?: Partial<AnswerKeeperOptions>
  readonly end?: Parameters<AnswerKeeper['end']>[0]
}

/** What is kept of an answer that comes in these pieces; null for nothing. */
function kept(
  pieces: readonly string[],
  { head = {}, options = {}, end = 'complete' }: Told = {},
): StoredAnswer | null {
  const found: StoredAnswer[] = []
  const keeper = new AnswerKeeper({
    model: 'm',
    party: 'acme',
    maxBodyBytes: 100,
    wantsStream: false,
    epoch: 'e',
    now: () => 42,
    keep: (answer) => void found.push(answer),
    ...options,
  })
  const { headers = JSON_TYPE, ...rest } = head
  keeper.open({ status: 200, model: 'm', ...rest, headers: new Headers(headers) })
  for (const piece of pieces) keeper.push(bytesOf(piece))
  keeper.end(end)
  keeper.end('complete')
  expect(found.length).toBeLessThanOrEqual(1)
  return found[0] ?? null
}

test('an answer is kept as it came, once, with the headers that callers see', () => {
  const headers = { ...JSON_TYPE, 'retry-after': '1', server: 'uvicorn', 'set-cookie': 'a=b' }
  expect(kept(['{"a":', '1}'], { head: { headers } })).toEqual({
    party: 'acme',
    model: 'm',
    headers: [['content-type', 'application/json']],
    body: bytesOf('{"a":1}'),
    storedAtMs: 42,
    epoch: 'e',
  })
})

test('so is a stream', () => {
  const options = { wantsStream: true }
  expect(kept(['data: [DONE]\n\n'], { options, head: { headers: STREAM_TYPE } })?.body).toEqual(
    bytesOf('data: [DONE]\n\n'),
  )
})

test.each<[string, readonly string[], Told?]>([
  ['an error', ['{}'], { head: { status: 500 } }],
  ['another success', ['{}'], { head: { status: 201 } }],
  ['another model', ['{}'], { head: { model: 'next' } }],
  ['another type', ['{}'], { head: { headers: { 'content-type': 'text/html' } } }],
  ['no stream where one was asked for', ['{}'], { options: { wantsStream: true } }],
  ['a worker that forbids it', ['{}'], { head: { headers: { ...JSON_TYPE, 'cache-control': 'no-store' } } }],
  ['a cut', ['{"a":1}'], { end: 'truncated' }],
  ['a client that left', ['{"a":1}'], { end: 'client_aborted' }],
  ['an end that is no end', ['{"a":', '[1}']],
  ['half a document', ['{"a":"}']],
  ['more than may be kept', ['{"a":"', 'x'.repeat(100), '"}']],
  ['a choice that was aborted', ['{"choices":[{"finish_reason": "abort"}]}']],
  ['a choice that failed', ['{"choices":[{"finish_reason":"error"}]}']],
])('nothing is kept of %s', (_, pieces, told) => {
  expect(kept(pieces, told)).toBeNull()
})

test('a text that speaks of aborted choices is no such choice', () => {
  const content = JSON.stringify({ content: '"finish_reason":"abort"' })
  expect(kept([content])).not.toBeNull()
})
