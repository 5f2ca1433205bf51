// /v1/responses: the life of a stored response, and the order of a stream.

import { expect, test } from 'vitest'
import { eventsOf } from './read-events.ts'
import { createVirtualWorker } from './virtual-worker.ts'

const SENTENCE =
  'A long enough sentence fills more than one block of sixteen tokens, so that it can be found in the cache again.'

test('a response is stored, read, continued from and deleted', async () => {
  const { post, send } = createVirtualWorker({ outputTokens: 4 })
  const made = JSON.parse((await post('/v1/responses', { model: 'm', input: SENTENCE })).text)
  expect(made).toMatchObject({ object: 'response', status: 'completed', usage: { output_tokens: 4 } })
  expect(JSON.parse((await send(`/v1/responses/${made.id}`)).text)).toEqual(made)
  const next = JSON.parse((await post('/v1/responses', { input: 'More', previous_response_id: made.id })).text)
  expect(next.usage.input_tokens_details.cached_tokens).toBe(32)
  expect((await send(`/v1/responses/${made.id}/cancel`, { method: 'POST' })).response.status).toBe(400)
  const deleted = await send(`/v1/responses/${made.id}`, { method: 'DELETE' })
  expect(JSON.parse(deleted.text)).toEqual({ id: made.id, object: 'response', deleted: true })
  const gone = await send(`/v1/responses/${made.id}`)
  expect([gone.response.status, JSON.parse(gone.text).error.type]).toEqual([404, 'NotFoundError'])
})

test('an unknown previous response is a 404', async () => {
  const { response, text } = await createVirtualWorker().post('/v1/responses', {
    input: 'Hi',
    previous_response_id: 'resp_x',
  })
  expect(response.status).toBe(404)
  const message = "Response with id 'resp_x' not found."
  expect(JSON.parse(text)).toEqual({ error: { message, type: 'NotFoundError', param: 'response_id', code: 404 } })
})

test('a stream has the named events in order, and stores what it ends with', async () => {
  const { post, send } = createVirtualWorker({ outputTokens: 2 })
  const events = eventsOf((await post('/v1/responses', { input: 'Hi', stream: true })).text)
  expect(events.map(({ name }) => name?.slice('response.'.length))).toEqual([
    'created',
    'in_progress',
    'output_item.added',
    'content_part.added',
    'output_text.delta',
    'output_text.done',
    'content_part.done',
    'output_item.done',
    'completed',
  ])
  expect(events.map(({ data }) => data['sequence_number'])).toEqual(events.map((_, index) => index))
  const final = events.at(-1)?.data['response'] as { id: string } | undefined
  expect(JSON.parse((await send(`/v1/responses/${final?.id}`)).text)).toEqual(final)
})

test('one in the background can be cancelled while it runs', async () => {
  const { worker, clock } = createVirtualWorker()
  const call = async (path: string, method: string, body?: object) => {
    const headers = { 'content-type': 'application/json' }
    const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) }
    return JSON.parse(await (await worker.fetch(new Request(`http://worker${path}`, init))).text())
  }
  const first = await call('/v1/responses', 'POST', { input: 'Hi', background: true })
  expect(first).toMatchObject({ status: 'queued' })
  expect(await call(`/v1/responses/${first.id}/cancel`, 'POST')).toMatchObject({ status: 'cancelled' })
  const second = await call('/v1/responses', 'POST', { input: 'Hi', background: true })
  clock.runAll()
  expect(await call(`/v1/responses/${second.id}`, 'GET')).toMatchObject({ status: 'completed' })
  expect(await call(`/v1/responses/${first.id}`, 'GET')).toMatchObject({ status: 'cancelled' })
  expect(worker.context.engines[0]?.stats.finished).toMatchObject({ abort: 1, stop: 1 })
})
