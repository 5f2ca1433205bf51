// A worker that sleeps, and one whose engine is stuck: well to whoever asks, and of no use.

import { expect, test } from 'vitest'
import { createVirtualWorker } from './virtual-worker.ts'

const CHAT = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] }

/** Sends a chat request that does not hold up the test; says later whether it was answered. */
function begin({ worker }: ReturnType<typeof createVirtualWorker>) {
  const begun = { isAnswered: false }
  const headers = { 'content-type': 'application/json' }
  const request = new Request('http://worker/v1/chat/completions', {
    method: 'POST',
    headers,
    body: JSON.stringify(CHAT),
  })
  worker.fetch(request).then(
    () => (begun.isAnswered = true),
    () => {},
  )
  return begun
}

/** Lets bodies be read, and an hour pass. */
async function pass({ clock }: ReturnType<typeof createVirtualWorker>): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  clock.advance(3_600_000)
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

test('without dev mode there are no such routes', async () => {
  const { send } = createVirtualWorker()
  expect((await send('/is_sleeping')).response.status).toBe(404)
  expect((await send('/sleep', { method: 'POST' })).response.status).toBe(404)
})

test('a worker that sleeps says so and looks healthy; what came meanwhile is answered once it is awake', async () => {
  const virtual = createVirtualWorker({ enableDevMode: true })
  const { send } = virtual
  expect((await send('/is_sleeping')).text).toBe('{"is_sleeping":false}')
  expect(await send('/sleep?level=1', { method: 'POST' })).toMatchObject({ response: { status: 200 }, text: '' })
  expect((await send('/is_sleeping')).text).toBe('{"is_sleeping":true}')
  expect((await send('/health')).response.status).toBe(200)
  const begun = begin(virtual)
  await pass(virtual)
  expect(begun.isAnswered).toBe(false)
  expect((await send('/metrics')).text).toContain('vllm:num_requests_waiting{engine="0",model_name="m"} 1.0\n')
  await send('/wake_up?tags=weights', { method: 'POST' })
  expect((await send('/is_sleeping')).text).toBe('{"is_sleeping":true}')
  await send('/wake_up?tags=kv_cache', { method: 'POST' })
  await pass(virtual)
  expect(begun.isAnswered).toBe(true)
})

test('a frozen engine keeps what runs, generates nothing, and goes on where it was', async () => {
  const virtual = createVirtualWorker({ outputTokens: 8 })
  const { send, worker, clock } = virtual
  const begun = begin(virtual)
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  clock.advance(50)
  worker.context.faults.set([{ freeze: true }])
  const before = (await send('/metrics')).text
  expect(before).toContain('vllm:num_requests_running{engine="0",model_name="m"} 1.0\n')
  await pass(virtual)
  expect(begun.isAnswered).toBe(false)
  expect((await send('/metrics')).text).toBe(before)
  worker.context.faults.set([])
  await pass(virtual)
  expect(begun.isAnswered).toBe(true)
})

test('a reset wakes', async () => {
  const { send } = createVirtualWorker({ enableDevMode: true })
  await send('/sleep', { method: 'POST' })
  await send('/sim/reset', { method: 'POST' })
  expect((await send('/is_sleeping')).text).toBe('{"is_sleeping":false}')
})
