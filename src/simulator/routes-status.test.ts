// Health, models, metrics and the rest by which others watch a worker.

import { expect, test } from 'vitest'
import { createVirtualWorker } from './virtual-worker.ts'

const user = (content: string) => [{ role: 'user', content }]
const SENTENCE =
  'A long enough sentence fills more than one block of sixteen tokens, so that it can be found in the cache again.'

test('models are listed with adapters under the first', async () => {
  const { send } = createVirtualWorker({ models: ['a', 'b'], loras: ['l'] })
  const { data } = JSON.parse((await send('/v1/models')).text)
  expect(data.map(({ id, parent, root }: Record<string, string>) => [id, parent, root])).toEqual([
    ['a', null, 'a'],
    ['b', null, 'b'],
    ['l', 'a', '/adapters/l'],
  ])
  expect(Object.keys(data[0]).join()).toBe('id,object,created,owned_by,root,parent,max_model_len,permission')
})

test('health is empty, and 503 when told', async () => {
  const { send, worker } = createVirtualWorker()
  expect(await send('/health')).toMatchObject({ response: { status: 200 }, text: '' })
  worker.context.faults.set([{ health: 503 }])
  expect(await send('/ping', { method: 'POST' })).toMatchObject({ response: { status: 503 }, text: '' })
})

test('metrics have vLLM names, labels and one series per rank', async () => {
  const { post, send } = createVirtualWorker({ dataParallelSize: 2, outputTokens: 4 })
  await post('/v1/chat/completions', { messages: user(SENTENCE) }, { 'x-data-parallel-rank': '1' })
  await post('/v1/chat/completions', { messages: user(SENTENCE) }, { 'x-data-parallel-rank': '1' })
  const { text } = await send('/metrics')
  const rank = 'engine="1",model_name="m"'
  expect(text).toContain(`vllm:num_requests_running{${rank}} 0.0\n`)
  expect(text).toContain(`vllm:prefix_cache_hits_total{${rank}} 32.0\n`)
  expect(text).toContain(`vllm:request_success_total{${rank},finished_reason="stop"} 2.0\n`)
  expect(text).toContain(`vllm:time_to_first_token_seconds_bucket{${rank},le="+Inf"} 2.0\n`)
  expect(text).toContain('vllm:generation_tokens_total{engine="0",model_name="m"} 0.0\n')
  expect(text).toContain('vllm:cache_config_info{block_size="16",num_gpu_blocks="16384"')
})

test('load and version answer', async () => {
  const { send } = createVirtualWorker()
  expect((await send('/load')).text).toBe('{"server_load":0}')
  expect((await send('/version')).text).toBe('{"version":"0.32.0"}')
})

test('the usage of the cache goes by its older name where that is asked for', async () => {
  const rank = 'engine="0",model_name="m"'
  expect((await createVirtualWorker().send('/metrics')).text).toContain(`vllm:kv_cache_usage_perc{${rank}} 0.0\n`)
  const { text } = await createVirtualWorker({ oldMetricNames: true }).send('/metrics')
  expect(text).toContain(`vllm:gpu_cache_usage_perc{${rank}} 0.0\n`)
  expect(text).not.toContain('kv_cache_usage_perc')
})
