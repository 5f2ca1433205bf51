// The body of POST /admin/explain: a request that somebody might make, as JSON, and that request as the pipeline takes it.

import * as z from 'zod'
import type { TenantConfig } from '../../config/config.ts'
import { quoted, RouterError } from '../../errors/router-error.ts'
import type { DryRun } from '../../explain/subject.ts'
import { checkContentEncoding, checkLength } from '../../middleware/read-body.ts'
import { wantsKeys } from '../../pipeline/callers.ts'
import type { DryRunRequest } from '../../pipeline/dry-run.ts'
import type { Exchange } from '../../pipeline/exchange.ts'
import type { InferenceRequest } from '../../pipeline/inference-request.ts'
import { type JsonRequest, readJsonRequest } from '../../pipeline/json-request.ts'
import { maxBodyBytes, type RouterParts } from '../../pipeline/router-parts.ts'
import { checkFormType, checkJsonType } from '../content-type.ts'
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
  worker: z.string({ error: 'it must be the id of a worker' }).min(1, { error: 'it must not be empty' }).optional(),
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
  if (route.body === 'multipart' && !isFields(body.body)) throw notFields()
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
    read() {
      checkContent(parts, route, { headers, bytes })
      return toRequest(route, { headers, signal, bytes, fields: body.body })
    },
  }
}

/** As live traffic is looked at. A type that nobody gave is taken to be the route's: a dry run's own body has another. */
function checkContent(parts: RouterParts, { body }: DryRoute, { headers, bytes }: Pick<Received, 'headers' | 'bytes'>) {
  const type = headers.get('content-type')
  if (type !== null && body === 'json') checkJsonType(type)
  if (type !== null && body === 'multipart') checkFormType(type)
  checkContentEncoding(headers)
  checkLength(bytes?.length ?? 0, maxBodyBytes(parts))
}

function isFields(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function notFields(): RouterError {
  const message = 'This route takes a form: give its fields as an object, such as `{"model": "whisper"}`.'
  return new RouterError('invalid_request', message, { param: 'body' })
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
  return new Uint8Array(new TextEncoder().encode(typeof body === 'string' ? body : toJson(body)))
}

function toJson(body: unknown): string {
  try {
    return JSON.stringify(body)
  } catch (cause) {
    // What was parsed can be written, unless its nesting is more than the stack holds.
    const message = 'The body is nested too deeply to be written; no worker would get it either.'
    throw new RouterError('invalid_request', message, { param: 'body', cause })
  }
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
