// Whoever passed authentication leaves a record, also of being sent away.

import { expect, test } from 'vitest'
import { inProcessRouter } from '../../test/support/in-process-router.ts'
import { config } from '../../test/support/made-up-workers.ts'

test('a request that comes while the router shuts down has a record, and its id in the answer', async () => {
  const { router, chat } = await inProcessRouter(config(), async () => new Response('{}'))
  router.drain()
  const { response } = await chat({ model: 'm', messages: [] })
  expect(response.status).toBe(503)
  await Promise.resolve()
  const id = response.headers.get('x-vllm-router-decision-id')
  expect(await router.decisions.find(id ?? 'none')).toMatchObject({
    decision_id: id,
    status: 503,
    error: 'shutting_down',
    method: 'rejected',
    lifecycle_state: 'failed',
  })
})

test('one without its key leaves none', async () => {
  const { router, chat } = await inProcessRouter(
    config('inbound_api_key: sesame-0123456789'),
    async () => new Response('{}'),
  )
  const { response } = await chat({ model: 'm', messages: [] })
  expect(response.status).toBe(401)
  await Promise.resolve()
  expect(response.headers.get('x-vllm-router-decision-id')).toBeNull()
  expect(router.decisions.recent(10)).toEqual([])
})
