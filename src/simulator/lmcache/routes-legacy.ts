// The legacy controller's routes (`lmcache_controller`), with what makes them hard to read: a lookup names one holder for
// each chunk whoever else has it, keeps the last position of each holder, and knows nothing of models.

import * as z from 'zod'
import { jsonResponse, textResponse } from '../json-response.ts'
import { VllmError } from '../vllm-error.ts'
import { CHUNK_TOKENS, chunkKeysOf } from './chunk-keys.ts'
import type { ChunkIndex, KnownWorker } from './chunk-index.ts'
import { type ControllerExchange, withBody } from './controller-exchange.ts'

const LOCATION = 'LocalCPUBackend'

const lookupSchema = z.object({ tokens: z.array(z.int()) })

export function answerLookup(exchange: ControllerExchange): Response {
  const { index, settings, newId, hashSeed } = exchange.controller
  return withBody(exchange, lookupSchema, ({ tokens }) => {
    if (settings.wrongSchema) return jsonResponse({ event_id: newId(), res: [] })
    return jsonResponse({ event_id: `Lookup${newId()}`, layout_info: layoutOf(index, chunkKeysOf(tokens, hashSeed)) })
  })
}

/** What a lookup of these chunks says: of each chunk one holder, of each holder the end of the last such chunk. */
export function layoutOf(index: ChunkIndex, keys: readonly number[]): Record<string, readonly [string, number]> {
  const layout: Record<string, readonly [string, number]> = {}
  for (const [at, key] of keys.entries()) {
    const holder = index.firstHolder(key)
    if (holder === null) break
    layout[holder.instanceId] = [LOCATION, (at + 1) * CHUNK_TOKENS]
  }
  return layout
}

export function answerWorkers({ controller, url }: ControllerExchange): Response {
  const { index, settings } = controller
  if (settings.wrongSchema) return jsonResponse({ workers: 'none' })
  const instance = url.searchParams.get('instance_id')
  const rank = url.searchParams.get('worker_id')
  const found = index
    .workers()
    .filter(({ instanceId, workerId }) => isAsked(instance, instanceId) && isAsked(rank, String(workerId)))
  const shown = found.map((worker) => showWorker(worker, settings.showsKeyCount))
  if (instance === null || rank === null) return jsonResponse({ workers: shown, total_count: shown.length })
  if (shown[0] === undefined) throw new VllmError(404, `Worker ${instance}/${rank} not found`)
  return jsonResponse(shown[0])
}

export function answerKeyStats({ controller }: ControllerExchange): Response {
  const workers = controller.index.workers()
  const instances = [...new Set(workers.map(({ instanceId }) => instanceId))].map((id) => {
    const ranks = workers.filter(({ instanceId }) => instanceId === id)
    return { instance_id: id, key_count: countKeys(ranks), worker_count: ranks.length }
  })
  return jsonResponse({
    total_key_count: countKeys(workers),
    total_instance_count: instances.length,
    total_worker_count: workers.length,
    instances,
  })
}

const queryInstanceSchema = z.object({ event_id: z.string(), ip: z.string() })

export function answerQueryInstance(exchange: ControllerExchange): Response {
  const { index, newId } = exchange.controller
  return withBody(exchange, queryInstanceSchema, ({ ip }) => {
    // The last that registered with an address hides those before it.
    const found = index.workers().findLast((worker) => worker.ip === ip)
    if (found === undefined) throw new VllmError(500, 'res: none is not an allowed value')
    return jsonResponse({ event_id: `QueryInst${newId()}`, res: found.instanceId })
  })
}

const healthSchema = z.object({ instance_id: z.string() })

export function answerInstanceHealth(exchange: ControllerExchange): Response {
  const { index, newId } = exchange.controller
  return withBody(exchange, healthSchema, ({ instance_id: id }) => {
    const ranks = index.workers().filter(({ instanceId }) => instanceId === id)
    if (ranks.length === 0) throw new VllmError(500, `No instance ${id}`)
    const codes = Object.fromEntries(ranks.map(({ workerId }) => [String(workerId), 0]))
    return jsonResponse({ event_id: `Health${newId()}`, error_codes: codes })
  })
}

/** The real controller has no such route; a process that is started by scripts should say when it is up. */
export function answerHealth(): Response {
  return jsonResponse({ status: 'healthy' })
}

export function answerDashboard(): Response {
  const page = '<!doctype html><html><body>LMCache controller (simulated)</body></html>'
  return textResponse(page, { headers: { 'content-type': 'text/html; charset=utf-8' } })
}

function isAsked(asked: string | null, value: string): boolean {
  return asked === null || asked === value
}

function countKeys(workers: readonly KnownWorker[]): number {
  return workers.reduce((total, { keys }) => total + keys.size, 0)
}

function showWorker(worker: KnownWorker, showsKeyCount: boolean): object {
  const { instanceId, workerId, ip, port, registeredAtMs, lastHeardAtMs, keys } = worker
  return {
    instance_id: instanceId,
    worker_id: workerId,
    ip,
    port,
    peer_init_url: null,
    registration_time: registeredAtMs / 1000,
    last_heartbeat_time: lastHeardAtMs / 1000,
    ...(showsKeyCount ? { key_count: keys.size } : {}),
  }
}
