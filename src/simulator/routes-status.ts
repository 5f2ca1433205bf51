// The routes by which others watch a worker: health, version, models, load and metrics.

import { createdSeconds } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { emptyResponse, jsonResponse, textResponse } from './json-response.ts'
import { toPrometheusText } from './prometheus.ts'

export function answerHealth(exchange: Exchange): Response {
  return emptyResponse(exchange.worker.faults.health ?? 200)
}

export function answerVersion(exchange: Exchange): Response {
  return jsonResponse({ version: exchange.worker.settings.version })
}

export function answerLoad(exchange: Exchange): Response {
  const { engines, settings } = exchange.worker
  const inFlight = engines.reduce((sum, { stats }) => sum + stats.running + stats.waiting, 0)
  return jsonResponse({ server_load: settings.enableServerLoadTracking ? inFlight : 0 })
}

export function answerMetrics(exchange: Exchange): Response {
  const text = toPrometheusText(exchange.worker.engines, exchange.worker.settings)
  return textResponse(text, { headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } })
}

export function answerModels(exchange: Exchange): Response {
  const { models, loras, maxModelLen } = exchange.worker.settings
  const data = [
    ...models.map((id) => toModelCard(exchange, { id, root: id, parent: null, max_model_len: maxModelLen })),
    ...loras.map((id) =>
      toModelCard(exchange, { id, root: `/adapters/${id}`, parent: models[0] ?? null, max_model_len: null }),
    ),
  ]
  return jsonResponse({ object: 'list', data })
}

interface ModelFields {
  readonly id: string
  readonly root: string
  readonly parent: string | null
  readonly max_model_len: number | null
}

function toModelCard(exchange: Exchange, fields: ModelFields): object {
  // vLLM makes the card anew for each call, so `created` is now.
  const created = createdSeconds(exchange)
  const permission = {
    id: `modelperm-${exchange.worker.newId()}`,
    object: 'model_permission',
    created,
    allow_create_engine: false,
    allow_sampling: true,
    allow_logprobs: true,
    allow_search_indices: false,
    allow_view: true,
    allow_fine_tuning: false,
    organization: '*',
    group: null,
    is_blocking: false,
  }
  const { id, root, parent, max_model_len } = fields
  const head = { id, object: 'model', created, owned_by: 'vllm' }
  return { ...head, root, parent, max_model_len, permission: [permission] }
}
