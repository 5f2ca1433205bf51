// The body of POST /admin/explain: a request that somebody might make, as JSON, and that request as the pipeline takes it.

import * as z from 'zod'
import type { TenantConfig } from '../../config/config.ts'
import { quoted, RouterError } from '../../errors/router-error.ts'
import type { DryRun } from '../../explain/subject.ts'
import { wantsKeys } from '../../pipeline/callers.ts'
import type { DryRunRequest } from '../../pipeline/dry-run.ts'
import type { Exchange } from '../../pipeline/exchange.ts'
import type { InferenceRequest } from '../../pipeline/inference-request.ts'
import { type JsonRequest, readJsonRequest } from '../../pipeline/json-request.ts'
import type { RouterParts } from '../../pipeline/router-parts.ts'
import { type DryRoute, findDryRoute } from './dry-run-route.ts'

/** A prompt may be long. */
export const MAX_DRY_RUN_BYTES = 8 * 1024 * 1024

export const dryRunSchema = z.strictObject({
  /** As a client would ask for it. */
  route: z.string({ error: 'it must be a path such as `/v1/chat/completions`' }).default('/v1/chat/completions'),
  method: z.enum(['GET', 'POST', 'DELETE'], { error: 'it must be GET, POST or DELETE' }).optional(),
  headers: z.record(z.string(), z.string(), { error: 'it must be an object of texts' }).default({}),
  /** JSON, or the text of a body; of a form, an object of its fields. */
  body: z.unknown().optional(),
  key: z.string({ error: 'it must be a key of a caller' }).min(1, { error: 'it must not be empty' }).optional(),
  tenant: z.string({ error: 'it must be the name of a tenant, or null' }).nullable().optional(),
  worker: z.string({ error: 'it must be the id of a worker' }).optional(),
  ask_hooks: z.boolean({ error: 'it must be true or false' }).default(false),
  seed: z
    .int({ error: 'it must be a whole number' })
    .min(0, { error: 'it must be zero or more' })
    .max(0xffff_ffff, { error: 'it must be at most 4294967295' })
    .optional(),
})

export type DryRunBody = z.output<typeof dryRunSchema>

export interface DryRunPlan extends DryRunRequest {
  /** How the caller was found out. */
  readonly callerWord: DryRun['caller']
}

/** Notes the route in `exchange`. Throws `invalid_request` for what can't be any request. */
export function toDryRun(parts: RouterParts, exchange: Exchange, body: DryRunBody, signal: AbortSignal): DryRunPlan {
  const route = findDryRoute(parts.config, body.route, body.method)
  const headers = toHeaders(body)
  const { caller, callerWord } = callerOf(parts, headers, body)
  const bytes = toBytes(body.body)
  Object.assign(exchange, {
    route: route.name,
    isInference: true,
    dialect: route.dialect,
    isCacheable: route.isCacheable,
    tokenUse: route.tokenUse,
    requestBytes: bytes?.length ?? null,
  } satisfies Partial<Exchange>)
  return {
    caller,
    callerWord,
    headers,
    signal,
    asksHooks: body.ask_hooks,
    seed: body.seed ?? null,
    read: () => toRequest(route, { headers, signal, bytes, fields: body.body }),
  }
}

function toHeaders({ headers: given, key }: DryRunBody): Headers {
  try {
    const headers = new Headers(given)
    if (key !== undefined) headers.set('authorization', `Bearer ${key}`)
    return headers
  } catch (cause) {
    const message = 'A header, or the key, has characters that no header can have.'
    throw new RouterError('invalid_request', message, { param: 'headers', cause })
  }
}

const KEY_HEADERS = ['authorization', 'x-router-key', 'x-api-key']

function callerOf(
  { config }: RouterParts,
  headers: Headers,
  { key, tenant: name }: DryRunBody,
): Pick<DryRunPlan, 'caller' | 'callerWord'> {
  if (name !== undefined) {
    if (key !== undefined) throw new RouterError('invalid_request', 'Give a `key` or a `tenant`, not both.')
    return { caller: { tenant: name === null ? null : findTenant(config.tenants, name) }, callerWord: 'named' }
  }
  if (KEY_HEADERS.some((header) => headers.has(header))) return { caller: 'offered', callerWord: 'key' }
  return { caller: { tenant: null }, callerWord: wantsKeys(config) ? 'assumed' : 'anybody' }
}

function findTenant(tenants: readonly TenantConfig[], name: string): TenantConfig {
  const found = tenants.find((tenant) => tenant.name === name)
  if (found === undefined) {
    throw new RouterError('invalid_request', `There is no tenant ${quoted(name)}.`, { param: 'tenant' })
  }
  return found
}

/** Null for no body. */
function toBytes(body: unknown): Uint8Array<ArrayBuffer> | null {
  if (body === undefined || body === null) return null
  // Copied, as not every runtime's types promise that an encoder's bytes are nobody else's.
  return new Uint8Array(new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)))
}

interface Received {
  readonly headers: Headers
  readonly signal: AbortSignal
  readonly bytes: Uint8Array<ArrayBuffer> | null
  readonly fields: unknown
}

function toRequest(route: DryRoute, { headers, signal, bytes, fields }: Received): InferenceRequest {
  return {
    method: route.method,
    target: route.target,
    headers,
    ...contentOf(route, bytes, fields),
    ...(route.storedResponseId === null ? {} : { storedResponseId: route.storedResponseId }),
    needsModel: route.needsModel,
    streamKind: route.streamKind,
    pinnedWorkerId: null,
    bodyFault: () => null,
    signal,
    onResponseId: null,
  }
}

function contentOf({ body }: DryRoute, bytes: Uint8Array<ArrayBuffer> | null, fields: unknown): JsonRequest {
  if (body === 'json') return readJsonRequest(bytes ?? new Uint8Array(0))
  const { model, stream } = body === 'multipart' ? formFields(fields) : { model: null, stream: false }
  return {
    bodyFor: () => bytes,
    canResend: true,
    json: null,
    requestedModel: model,
    wantsStream: stream,
    storedResponseId: null,
  }
}

/** What steers a form: the same two fields that are read of a real one. */
function formFields(fields: unknown): { readonly model: string | null; readonly stream: boolean } {
  const { model, stream } = z
    .looseObject({ model: z.string().optional(), stream: z.union([z.boolean(), z.string()]).optional() })
    .catch({})
    .parse(fields ?? {})
  return { model: model ?? null, stream: String(stream) === 'true' }
}
