// Loads out of metrics as vLLM writes them, now and in older releases.

import { expect, test } from 'vitest'
import { readLoad } from './worker-load.ts'

const CURRENT = `# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 2.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.7504321
vllm:prompt_tokens_total{engine="0",model_name="m"} 100.0
vllm:generation_tokens_total{engine="0",model_name="m"} 20.0
vllm:prompt_tokens_total{engine="1",model_name="m"} 3.0
`

test('requests and tokens are summed over the engines; of the cache the fullest counts', () => {
  expect(readLoad(CURRENT, 7)).toEqual({ running: 5, waiting: 1, kvUsage: 0.75, tokensTotal: 123, atMs: 7 })
})

test('older releases call the cache by another name; where both are served the current one counts', () => {
  const older = 'vllm:num_requests_running 1\nvllm:num_requests_waiting 0\nvllm:gpu_cache_usage_perc 0.5\n'
  expect(readLoad(older, 0)).toMatchObject({ kvUsage: 0.5, tokensTotal: null })
  expect(readLoad(`${older}vllm:kv_cache_usage_perc 0.25\n`, 0)).toMatchObject({ kvUsage: 0.25 })
})

test('what is not served is not known, and requests are what makes a load', () => {
  expect(readLoad('vllm:num_requests_running 1\nvllm:num_requests_waiting 2\n', 0)).toEqual({
    running: 1,
    waiting: 2,
    kvUsage: null,
    tokensTotal: null,
    atMs: 0,
  })
  expect(readLoad('vllm:num_requests_running 1\n', 0)).toBeNull()
  expect(readLoad('<html>', 0)).toBeNull()
  expect(readLoad('', 0)).toBeNull()
})

test('numbers that can not be are left out or put right', () => {
  const text = `vllm:num_requests_running{engine="0"} NaN
vllm:num_requests_running{engine="1"} 4
vllm:num_requests_waiting -3
vllm:kv_cache_usage_perc 1.0000001
vllm:prompt_tokens_total +Inf
`
  expect(readLoad(text, 0)).toEqual({ running: 4, waiting: 0, kvUsage: 1, tokensTotal: null, atMs: 0 })
  expect(readLoad('vllm:num_requests_running NaN\nvllm:num_requests_waiting 1\n', 0)).toBeNull()
})
