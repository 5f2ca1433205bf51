// The routes of the newer control plane (`lmcache coordinator`): a lookup names everybody who holds a chunk, and gives the
// tokens back with each.

import * as z from 'zod'
import { jsonResponse } from '../json-response.ts'
import { VllmError } from '../vllm-error.ts'
import type { KnownWorker } from './chunk-index.ts'
import { CHUNK_TOKENS, chunkKeysOf } from './chunk-keys.ts'
import { type ControllerExchange, unprocessable, withBody } from './controller-exchange.ts'

const lookupSchema = z.object({
  token_ids: z.array(z.int()).optional(),
  keys: z.array(z.unknown()).optional(),
  model_name: z.string().optional(),
  world_size: z.int().min(1).default(1),
  cache_salt: z.string().default(''),
})

type Lookup = z.output<typeof lookupSchema>

export function answerDirectoryLookup(exchange: ControllerExchange): Response {
  const { settings } = exchange.controller
  return withBody(exchange, lookupSchema, (lookup) => {
    const { token_ids: tokens, keys, model_name: model } = lookup
    if ((tokens === undefined) === (keys === undefined)) return refuse('give exactly one of keys and token_ids')
    if (tokens === undefined) throw new VllmError(501, 'The simulator takes token_ids only.')
    if (model === undefined) return refuse('model_name is required with token_ids')
    if (tokens.length > settings.maxLookupTokens) throw new VllmError(400, 'too many tokens')
    return settings.wrongSchema ? jsonResponse({ chunks: null }) : placements(exchange, tokens, lookup)
  })
}

function refuse(msg: string): Response {
  return unprocessable([{ loc: ['body'], msg }])
}

function placements({ controller }: ControllerExchange, tokens: readonly number[], lookup: Lookup): Response {
  const keys = chunkKeysOf(tokens, controller.hashSeed)
  const results = keys.flatMap((key, chunk) => {
    const holders = controller.index.holders(key)
    return Array.from({ length: lookup.world_size }, (_, rank) => ({
      key: {
        chunk_hash_hex: key.toString(16).padStart(14, '0'),
        model_name: lookup.model_name,
        kv_rank: rank,
        cache_salt: lookup.cache_salt,
      },
      placements: holders.filter(({ workerId }) => workerId === rank).map(showPlacement),
      token_ids: tokens.slice(chunk * CHUNK_TOKENS, (chunk + 1) * CHUNK_TOKENS),
    }))
  })
  return jsonResponse({ chunks: keys.length, results })
}

function showPlacement({ instanceId }: KnownWorker): object {
  return { instance_id: instanceId, incarnation: 1, tier: 'l1', backend: 'dram', size_bytes: 33_554_432, shared: false }
}

export function answerInstances({ controller }: ControllerExchange): Response {
  const shown = new Map(
    controller.index.workers().map(({ instanceId, ip, port, registeredAtMs }) => [
      instanceId,
      {
        instance_id: instanceId,
        ip,
        http_port: port,
        registration_time: registeredAtMs / 1000,
        metadata: {},
        p2p_advertised_url: null,
        mq_port: null,
      },
    ]),
  )
  return jsonResponse({ instances: [...shown.values()] })
}

export function answerDirectoryStats({ controller }: ControllerExchange): Response {
  const workers = controller.index.workers()
  const keysByInstance: Record<string, number> = {}
  for (const { instanceId, keys } of workers) keysByInstance[instanceId] = (keysByInstance[instanceId] ?? 0) + keys.size
  const distinct = new Set(workers.flatMap(({ keys }) => [...keys]))
  const placed = workers.reduce((total, { keys }) => total + keys.size, 0)
  return jsonResponse({
    num_keys: distinct.size,
    num_placements: placed,
    l1_keys_by_instance: keysByInstance,
    blend: {},
  })
}
