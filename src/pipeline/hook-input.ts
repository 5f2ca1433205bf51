// What a hook sees of a request, and a request with the body a hook gave back.

import type { Config, HookConfig } from '../config/config.ts'
import { toMetadataBytes } from '../dialect/hook-answer.ts'
import { RouterError } from '../errors/router-error.ts'
import type { HookInputKind } from '../upstream/hook-headers.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import { readJsonRequest } from './json-request.ts'
import { maxBodyBytes, type RouterParts } from './router-parts.ts'

export interface HookInput {
  readonly kind: HookInputKind
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The body as it is where the hook may see it and it is JSON; else what can be said about it. */
export function toHookInput(exchange: Exchange, request: InferenceRequest, hook: HookConfig): HookInput {
  const shown = hook.send === 'body' ? jsonBytes(request) : null
  if (shown !== null) return { kind: 'body', bytes: shown }
  const metadata = {
    model: modelSoFar(request, exchange.config),
    route: exchange.route ?? '',
    tenant: exchange.tenant?.name ?? null,
    stream: wantsStreamSoFar(request),
    body_bytes: bodyBytes(request),
    content_type: request.headers.get('content-type'),
  }
  return { kind: 'metadata', bytes: toMetadataBytes(metadata) }
}

/** Null where it is not known: a long form may ask for events at its end, and a body that is passed through isn't read. */
function wantsStreamSoFar({ json, needsModel, canResend, wantsStream }: InferenceRequest): boolean | null {
  const isRead = json !== null || (needsModel && canResend)
  return isRead ? wantsStream : null
}

/** The model as far as it is known before routing; null where the route has none, or nobody has named one. */
export function modelSoFar(request: InferenceRequest, config: Pick<Config, 'defaultModel'>): string | null {
  return request.needsModel ? (request.requestedModel ?? config.defaultModel) : null
}

type Transformed =
  | { readonly next: InferenceRequest; readonly fault: null }
  | { readonly next: null; readonly fault: string }

/** The request with another body, held to what a caller's own body is held to. */
export function applyTransform(
  parts: RouterParts,
  request: InferenceRequest,
  bytes: Uint8Array<ArrayBuffer>,
): Transformed {
  if (bytes.length > maxBodyBytes(parts)) return { next: null, fault: 'larger than max_payload_size' }
  // A passed-through body steers nothing, so nothing is read from it.
  if (request.json === null) return { next: { ...request, bodyFor: () => bytes }, fault: null }
  try {
    return { next: { ...request, ...readJsonRequest(bytes) }, fault: null }
  } catch (error) {
    if (!(error instanceof RouterError)) throw error
    return { next: null, fault: error.param === null ? error.code : `${error.code} in ${error.param}` }
  }
}

/** The request's bytes when they are JSON; null for a form, which streams, and for no body. */
function jsonBytes(request: InferenceRequest): Uint8Array<ArrayBuffer> | null {
  const bytes = heldBytes(request)
  return bytes !== null && (request.json !== null || isJsonText(bytes)) ? bytes : null
}

// A body that streams may be asked for once, and that is for the worker.
function heldBytes({ canResend, bodyFor }: InferenceRequest): Uint8Array<ArrayBuffer> | null {
  const body = canResend ? bodyFor(null) : null
  return body instanceof Uint8Array ? body : null
}

// A passed-through body was not parsed, and need not be JSON.
function isJsonText(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
    return true
  } catch {
    // Whatever it is, a hook that reads JSON can't read it.
    return false
  }
}

function bodyBytes(request: InferenceRequest): number | null {
  if (request.canResend) return heldBytes(request)?.length ?? 0
  const stated = request.headers.get('content-length')
  return stated !== null && /^\d{1,15}$/.test(stated) ? Number(stated) : null
}
