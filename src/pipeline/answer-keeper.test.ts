import { expect, test } from 'vitest'
import type { StoredAnswer } from '../cache/response-store.ts'
import { AnswerKeeper, type AnswerKeeperOptions, type KeptHead } from './answer-keeper.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const WHOLE = '{"choices":[{"finish_reason":"stop"}]}'
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
  expect(kept([WHOLE.slice(0, 9), WHOLE.slice(9)], { head: { headers } })).toEqual({
    party: 'acme',
    model: 'm',
    headers: [['content-type', 'application/json']],
    body: bytesOf(WHOLE),
    storedAtMs: 42,
    epoch: 'e',
  })
})

test('so is a stream', () => {
  const options = { wantsStream: true }
  const told = { options, head: { headers: STREAM_TYPE } }
  const events = [`data: ${WHOLE}\n\n`, 'data: [DONE]\n\n']
  expect(kept(events, told)?.body).toEqual(bytesOf(events.join('')))
  // It has the end of a stream, and that of no choice: somebody on the way lost what was between.
  expect(kept(['data: {"choices":[{"delta":{}}]}\n\n', 'data: [DONE]\n\n'], told)).toBeNull()
})

test.each<[string, readonly string[], Told?]>([
  ['an error', [WHOLE], { head: { status: 500 } }],
  ['another success', [WHOLE], { head: { status: 201 } }],
  ['another model', [WHOLE], { head: { model: 'next' } }],
  ['another type', [WHOLE], { head: { headers: { 'content-type': 'text/html' } } }],
  ['no stream where one was asked for', [WHOLE], { options: { wantsStream: true } }],
  ['a worker that forbids it', [WHOLE], { head: { headers: { ...JSON_TYPE, 'cache-control': 'no-store' } } }],
  ['a cut', [WHOLE], { end: 'truncated' }],
  ['a client that left', [WHOLE], { end: 'client_aborted' }],
  ['an end that is no end', [WHOLE.replace('stop"}]', 'stop"}')]],
  ['half a document', [`${WHOLE.slice(0, -2)}}`]],
  ['more than may be kept', [WHOLE, ' '.repeat(100)]],
  ['an error that comes as a success', ['{"error":{"message":"no"},"choices":[{"finish_reason":"stop"}]}']],
  ['an error in place of choices', ['{"object":"error","message":"no","finish_reason":"stop"}']],
  ['no choice', ['{"choices":[],"finish_reason":"stop"}']],
  ['a choice without an end', ['{"choices":[{"finish_reason":null}]}']],
  ['something else than an object', ['["finish_reason","choices"]']],
  ['a choice that was aborted', ['{"choices":[{"finish_reason": "abort"}]}']],
  ['a choice that failed', ['{"choices":[{"finish_reason":"error"}]}']],
])('nothing is kept of %s', (_, pieces, told) => {
  expect(kept(pieces, told)).toBeNull()
})

test('a text that speaks of aborted choices is no such choice', () => {
  const message = { content: '"finish_reason":"abort"' }
  expect(kept([JSON.stringify({ choices: [{ message, finish_reason: 'stop' }] })])).not.toBeNull()
  expect(kept([JSON.stringify({ choices: [{ message: { content: '"finish_reason":"stop"' } }] })])).toBeNull()
})
