// A simulated LMCache control plane over real sockets, with simulated workers that report to it.

import { afterEach, describe, expect, test } from 'vitest'
import type { SimulatedControllerOptions } from '../simulator/lmcache/controller-options.ts'
import type { SimulatedWorkerOptions } from '../simulator/options.ts'
import {
  startSimulatedController,
  startSimulatedWorker,
  type StartedController,
  type StartedWorker,
} from './node-simulator.ts'

const FAST = { port: 0, models: ['m'], prefillOverheadMs: 0, prefillMsPerToken: 0, itlMs: 0, outputTokens: 2 }
const CHUNK = 256
const open: { close(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()))
})

async function startController(options: SimulatedControllerOptions = {}): Promise<StartedController> {
  const controller = await startSimulatedController({ port: 0, ...options })
  open.push(controller)
  return controller
}

async function startWorker(
  controller: StartedController,
  name: string,
  options: Partial<SimulatedWorkerOptions> = {},
): Promise<StartedWorker> {
  const worker = await startSimulatedWorker({
    ...FAST,
    lmcacheController: controller.url,
    lmcacheInstance: name,
    lmcacheReportMs: 1,
    ...options,
  })
  open.push(worker)
  await until(() => `${name}/0` in controller.state().keys)
  return worker
}

async function until(holds: () => boolean): Promise<void> {
  const endsAt = Date.now() + 10_000
  while (!holds()) {
    if (Date.now() > endsAt) throw new Error('it did not come to that within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** What a test looks into without knowing its type. */
// oxlint-disable-next-line typescript/no-explicit-any -- answers of a server, in tests
type Json = any

async function post(url: string, body: unknown): Promise<{ status: number; json: Json }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, json: await response.json() }
}

const getJson = async (url: string): Promise<Json> => (await fetch(url)).json()

/** A prompt of at least this many chunks; the same beginning for the same name. */
function promptOf(name: string, chunks: number): string {
  return Array.from({ length: chunks * CHUNK }, (_, index) => `${name}${index}`).join(' ')
}

async function tokensOf(worker: StartedWorker, prompt: string, chunks: number): Promise<number[]> {
  const { json } = await post(`${worker.url}/tokenize`, { model: 'm', prompt })
  expect(json.tokens.length).toBeGreaterThan(chunks * CHUNK)
  return json.tokens.slice(0, chunks * CHUNK)
}

/** Has the worker compute this many chunks, and waits until the controller knows. */
async function warm(
  { worker, controller, name }: { worker: StartedWorker; controller: StartedController; name: string },
  tokens: readonly number[],
): Promise<void> {
  const { status } = await post(`${worker.url}/v1/completions`, { model: 'm', prompt: tokens, max_tokens: 2 })
  expect(status).toBe(200)
  await until(() => (controller.state().keys[`${name}/0`] ?? 0) >= Math.floor(tokens.length / CHUNK))
}

const lookup = async (controller: StartedController, tokens: readonly number[]): Promise<unknown> =>
  (await post(`${controller.url}/lookup`, { tokens })).json.layout_info

describe('the legacy controller', () => {
  test('knows what a worker computed, in whole chunks, whatever model it was for', async () => {
    const controller = await startController()
    const worker = await startWorker(controller, 'node-a', { models: ['m', 'n'] })
    const tokens = await tokensOf(worker, promptOf('a', 4), 3)
    await warm({ worker, controller, name: 'node-a' }, tokens)
    expect(await lookup(controller, tokens)).toEqual({ 'node-a': ['LocalCPUBackend', 768] })
    expect(await lookup(controller, tokens.slice(0, 700))).toEqual({ 'node-a': ['LocalCPUBackend', 512] })
    expect(await lookup(controller, tokens.slice(0, 255))).toEqual({})
    expect(await lookup(controller, tokens.toReversed())).toEqual({})
  })

  test('names the first holder only, and credits chunks to others beyond it', async () => {
    const controller = await startController()
    const small = await startWorker(controller, 'small', { kvBlocks: 2 * 16 + 4 })
    const large = await startWorker(controller, 'large')
    const tokens = await tokensOf(large, promptOf('a', 5), 4)
    await warm({ worker: small, controller, name: 'small' }, tokens.slice(0, 2 * CHUNK))
    await warm({ worker: large, controller, name: 'large' }, tokens)
    // Both hold the first two chunks; one is credited with them, the other with an end that says nothing of its start.
    expect(await lookup(controller, tokens)).toEqual({
      small: ['LocalCPUBackend', 512],
      large: ['LocalCPUBackend', 1_024],
    })
    const { json } = await post(`${controller.url}/directory/lookup`, { token_ids: tokens, model_name: 'm' })
    expect(json.results.map(({ placements }: Json) => placements.map((each: Json) => each.instance_id))).toEqual([
      ['small', 'large'],
      ['small', 'large'],
      ['large'],
      ['large'],
    ])
  })

  test('hears of evictions', async () => {
    const controller = await startController()
    const worker = await startWorker(controller, 'node-a', { kvBlocks: 3 * 16 + 4 })
    const first = await tokensOf(worker, promptOf('a', 3), 2)
    await warm({ worker, controller, name: 'node-a' }, first)
    await post(`${worker.url}/v1/completions`, {
      model: 'm',
      prompt: await tokensOf(worker, promptOf('b', 3), 2),
      max_tokens: 2,
    })
    await until(() => controller.state().keys['node-a/0'] === 3)
    expect(await lookup(controller, first)).toEqual({ 'node-a': ['LocalCPUBackend', 256] })
    await worker.reset()
    await until(() => controller.state().keys['node-a/0'] === 0)
  })

  test('is told to ignore evictions, and then promises what is gone', async () => {
    const controller = await startController({ ignoresEvictions: true })
    const worker = await startWorker(controller, 'node-a', { kvBlocks: 3 * 16 + 4 })
    const first = await tokensOf(worker, promptOf('a', 3), 2)
    await warm({ worker, controller, name: 'node-a' }, first)
    const second = await tokensOf(worker, promptOf('b', 3), 2)
    await post(`${worker.url}/v1/completions`, { model: 'm', prompt: second, max_tokens: 2 })
    await until(() => controller.state().keys['node-a/0'] === 4)
    expect(await lookup(controller, first)).toEqual({ 'node-a': ['LocalCPUBackend', 512] })
  })

  test('is blind with another seed: it finds nothing, says no error, and counts keys', async () => {
    const controller = await startController({ hashSeed: 'another' })
    const worker = await startWorker(controller, 'node-a')
    const tokens = await tokensOf(worker, promptOf('a', 3), 2)
    await warm({ worker, controller, name: 'node-a' }, tokens)
    expect(controller.state().keys).toEqual({ 'node-a/0': 2 })
    expect(await lookup(controller, tokens)).toEqual({})
    const { json } = await post(`${controller.url}/directory/lookup`, { token_ids: tokens, model_name: 'm' })
    expect(json.results.map(({ placements }: { placements: unknown[] }) => placements)).toEqual([[], []])
    await post(`${controller.url}/sim/hash-seed`, { seed: '' })
    expect(await lookup(controller, tokens)).toEqual({ 'node-a': ['LocalCPUBackend', 512] })
  })

  test('counts keys by worker, unless it is an older one', async () => {
    const controller = await startController()
    const worker = await startWorker(controller, 'node-a', { dataParallelSize: 2 })
    const tokens = await tokensOf(worker, promptOf('a', 3), 2)
    await warm({ worker, controller, name: 'node-a' }, tokens)
    const { workers, total_count: total } = await getJson(`${controller.url}/controller/workers`)
    expect(total).toBe(2)
    expect(workers[0]).toMatchObject({ instance_id: 'node-a', worker_id: 0, ip: '127.0.0.1', key_count: 2 })
    expect(await getJson(`${controller.url}/controller/workers?instance_id=node-a&worker_id=1`)).toMatchObject({
      worker_id: 1,
      key_count: 0,
    })
    expect((await fetch(`${controller.url}/controller/workers?instance_id=x&worker_id=0`)).status).toBe(404)
    expect(await getJson(`${controller.url}/controller/key-stats`)).toEqual({
      total_key_count: 2,
      total_instance_count: 1,
      total_worker_count: 2,
      instances: [{ instance_id: 'node-a', key_count: 2, worker_count: 2 }],
    })
    const older = await startController({ showsKeyCount: false })
    await startWorker(older, 'node-a')
    const shown = await getJson(`${older.url}/controller/workers`)
    expect(shown.workers).toHaveLength(1)
    expect(shown.workers[0]).not.toHaveProperty('key_count')
  })

  test.each([
    [false, {}],
    [true, { 'node-a': ['LocalCPUBackend', 512] }],
  ])('forgets at a restart; asking for snapshots (%s) brings back %j', async (asksForSnapshots, known) => {
    const controller = await startController({ asksForSnapshots })
    const worker = await startWorker(controller, 'node-a')
    const tokens = await tokensOf(worker, promptOf('a', 3), 2)
    await warm({ worker, controller, name: 'node-a' }, tokens)
    controller.restart()
    expect(await lookup(controller, tokens)).toEqual({})
    // The next report makes the worker known again.
    const other = await tokensOf(worker, promptOf('b', 2), 1)
    await post(`${worker.url}/v1/completions`, { model: 'm', prompt: other, max_tokens: 2 })
    await until(() => controller.state().keys['node-a/0'] === (asksForSnapshots ? 3 : 1))
    expect(await lookup(controller, tokens)).toEqual(known)
  })

  test('lags', async () => {
    const controller = await startController({ lagMs: 400 })
    const worker = await startWorker(controller, 'node-a')
    const tokens = await tokensOf(worker, promptOf('a', 2), 1)
    const sentAt = Date.now()
    await warm({ worker, controller, name: 'node-a' }, tokens)
    expect(Date.now() - sentAt).toBeGreaterThanOrEqual(395)
  })
})

test('the coordinator wants a model, tokens or keys, and not too many', async () => {
  const controller = await startController({ maxLookupTokens: 300 })
  const ask = async (body: object): Promise<number> => (await post(`${controller.url}/directory/lookup`, body)).status
  expect(await ask({ token_ids: [1] })).toBe(422)
  expect(await ask({ model_name: 'm' })).toBe(422)
  expect(await ask({ token_ids: [1], keys: [], model_name: 'm' })).toBe(422)
  expect(await ask({ token_ids: Array.from({ length: 301 }, () => 1), model_name: 'm' })).toBe(400)
  expect(await ask({ token_ids: [1], model_name: 'm' })).toBe(200)
  expect(await getJson(`${controller.url}/directory/stats`)).toMatchObject({ num_keys: 0, l1_keys_by_instance: {} })
  expect(await getJson(`${controller.url}/instances`)).toEqual({ instances: [] })
})

describe('what goes wrong', () => {
  test('is asked for as at a worker', async () => {
    const controller = await startController({ controlPort: 0 })
    await controller.setFaults({ status: 500, times: 1 })
    expect(await post(`${controller.url}/lookup`, { tokens: [] })).toMatchObject({
      status: 500,
      json: { detail: 'Simulated failure.' },
    })
    expect(await post(`${controller.url}/lookup`, {})).toMatchObject({ status: 422, json: { detail: [{}] } })
    await controller.setFaults({ refuse: true })
    await expect(fetch(`${controller.url}/health`)).rejects.toThrow()
    expect(await getJson(`${controller.controlUrl}/sim/state`)).toMatchObject({ requestsSeen: 2 })
    await controller.setFaults([])
    expect(await getJson(`${controller.url}/health`)).toEqual({ status: 'healthy' })
  })

  test('can be the shape of every answer', async () => {
    const controller = await startController({ wrongSchema: true })
    expect(await lookup(controller, [])).toBeUndefined()
    expect((await getJson(`${controller.url}/controller/workers`)).workers).toBe('none')
  })

  test('leaves the worker alone: a controller that is gone costs it nothing', async () => {
    const controller = await startController()
    const worker = await startWorker(controller, 'node-a')
    await controller.setFaults({ refuse: true })
    const prompt = promptOf('a', 2)
    expect((await post(`${worker.url}/v1/completions`, { model: 'm', prompt, max_tokens: 2 })).status).toBe(200)
  })
})
