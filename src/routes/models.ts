// GET /v1/models: what the fleet serves and the caller may use, asked of the workers themselves, so that every field they
// give survives, and the names that model rules add.

import type { Context } from 'hono'
import type { WorkerConfig } from '../config/config.ts'
import { quoted, RouterError } from '../errors/router-error.ts'
import type { AppEnv } from '../middleware/app-env.ts'
import { mayUse } from '../pipeline/model-access.ts'
import { listAliases, type ModelAlias } from '../pipeline/model-aliases.ts'
import { RETRY_AFTER_SECONDS } from '../pipeline/resolve-model.ts'
import type { RouterParts } from '../pipeline/router-parts.ts'
import { CONNECTIONS_AT_ONCE, createSlots } from '../upstream/connection-slots.ts'
import { listModels, type ModelEntry } from '../upstream/model-list.ts'

export async function listAllModels(context: Context<AppEnv>): Promise<Response> {
  const models = await gatherModels(context.env, context.req.raw.headers)
  return context.json({ object: 'list', data: [...models.values()] })
}

/** `:id` may hold slashes, as model names do, encoded or plain. */
export async function retrieveModel(context: Context<AppEnv>): Promise<Response> {
  const id = modelIdOf(context.req.raw.url)
  const entry = (await gatherModels(context.env, context.req.raw.headers)).get(id)
  if (entry === undefined) {
    throw new RouterError('model_not_found', `The model ${quoted(id)} does not exist here.`, { param: 'model' })
  }
  return context.json(entry)
}

function modelIdOf(url: string): string {
  const path = new URL(url).pathname
  return decodeURIComponent(path.slice('/v1/models/'.length))
}

/** What workers serve, and the names that model rules add for this caller: of both, what it may use. */
async function gatherModels(
  { parts, exchange }: AppEnv['Bindings'],
  headers: Headers,
): Promise<ReadonlyMap<string, ModelEntry>> {
  const served = await gatherServed(parts)
  const models = new Map([...served].filter(([id]) => mayUse(exchange, id)))
  const aliases = listAliases(parts.config, {
    header: (name) => headers.get(name),
    tenant: exchange.tenant?.name ?? null,
    isAvailable: (model) => models.has(model),
  })
  for (const alias of aliases) {
    if (!mayUse(exchange, alias.id) || !mayUse(exchange, alias.target)) continue
    // A name that workers serve is listed as theirs, whatever rules do with it.
    if (!models.has(alias.id)) models.set(alias.id, toEntry(alias, served.get(alias.target)))
  }
  return models
}

function toEntry({ id, target }: ModelAlias, served: ModelEntry | undefined): ModelEntry {
  // What clients size their prompts by holds for the alias as well.
  const length = served?.['max_model_len'] === undefined ? {} : { max_model_len: served['max_model_len'] }
  const created = served?.['created'] ?? 0
  return { id, object: 'model', created, owned_by: 'router', root: target, parent: null, ...length }
}

/** Union over the workers that answer, by id; the first worker in configured order wins where several serve a model. */
async function gatherServed(parts: RouterParts): Promise<ReadonlyMap<string, ModelEntry>> {
  const { config, platform } = parts
  const lists = new Map<string, readonly ModelEntry[]>()
  const withSlot = createSlots(CONNECTIONS_AT_ONCE)
  const list = async (worker: WorkerConfig) => {
    const entries = await withSlot(() => listModels(platform, worker))
    if (entries !== null) lists.set(worker.id, toServed(worker, entries))
  }
  await Promise.all(config.workers.map(list))
  if (lists.size === 0) {
    throw new RouterError('no_worker', 'No worker answers at the moment, so the models are not known.', {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    })
  }
  const union = new Map<string, ModelEntry>()
  for (const worker of config.workers) {
    for (const entry of lists.get(worker.id) ?? []) if (!union.has(entry.id)) union.set(entry.id, entry)
  }
  return union
}

/** With models configured, exactly those: the worker's own entry where it has one, else a minimal one. */
function toServed(worker: WorkerConfig, entries: readonly ModelEntry[]): readonly ModelEntry[] {
  if (worker.models === null) return entries
  const byId = new Map(entries.map((entry) => [entry.id, entry]))
  return worker.models.map((id) => byId.get(id) ?? { id, object: 'model', created: 0, owned_by: 'vllm' })
}
