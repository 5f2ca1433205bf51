// POST routes that hand a body to a worker: JSON is read for what steers it and sent on byte for byte, so are short
// forms; of a long form the beginning is read for its model, and the rest streams.

import { type MultipartForm, type MultipartLimits, readMultipartModel } from '../dialect/multipart.ts'
import { quoted, RouterError } from '../errors/router-error.ts'
import type { AppBindings } from '../middleware/app-env.ts'
import { discardBody } from '../middleware/discard-body.ts'
import { checkContentEncoding, checkStatedLength, readBody } from '../middleware/read-body.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { InferenceRequest } from '../pipeline/inference-request.ts'
import { type JsonRequest, readJsonRequest } from '../pipeline/json-request.ts'
import { rememberResponse } from '../pipeline/response-owner.ts'
import { maxBodyBytes, type RouterParts } from '../pipeline/router-parts.ts'
import { run } from '../pipeline/run.ts'
import type { InferenceRoute } from './catalogue.ts'
import { checkFormType, checkJsonType } from './content-type.ts'
import { workerTarget } from './target.ts'

/** The handler of one inference route: of nearly every request, so it asks for no more of a framework than a request. */
export function inference(route: InferenceRoute): (bindings: AppBindings, request: Request) => Promise<Response> {
  return async function infer({ parts, exchange }, request) {
    if (route.body === 'json') {
      const bytes = await readJsonBytes(parts, request)
      exchange.replay?.noteRequest(bytes, contentType(request))
      return await run(parts, exchange, toInferenceRequest(request, readJsonRequest(bytes), NO_FAULT))
    }
    const { discard, isBodyUntouched, ...form } = await readMultipart(parts, exchange, request)
    const asked = { ...toInferenceRequest(request, form, form.bodyFault), isBodyUntouched }
    return run(parts, exchange, asked).catch(async (error: unknown) => {
      await discard()
      throw error
    })

    /** Written out: this is done for every request. */
    function toInferenceRequest(
      { url, headers, signal }: Request,
      read: JsonRequest,
      bodyFault: InferenceRequest['bodyFault'],
    ): InferenceRequest {
      return {
        method: route.method,
        target: workerTarget(route.path, url),
        headers,
        bodyFor: read.bodyFor,
        canResend: read.canResend,
        json: read.json,
        requestedModel: read.requestedModel,
        needsModel: true,
        wantsStream: read.wantsStream,
        streamKind: route.streamKind,
        storedResponseId: read.storedResponseId,
        pinnedWorkerId: null,
        bodyFault,
        signal,
        onResponseId: route.storesResponse
          ? (responseId, workerId) => rememberResponse(parts, exchange, { responseId, workerId })
          : null,
      }
    }
  }
}

const NO_FAULT = () => null

interface FormRequest extends JsonRequest, Required<Pick<InferenceRequest, 'bodyFault' | 'isBodyUntouched'>> {
  /** Reads what no worker has taken of the body, before the request is refused. */
  discard(): Promise<void>
}

function contentType({ headers }: Request): string {
  return headers.get('content-type') ?? ''
}

function readJsonBytes(parts: RouterParts, request: Request): Promise<Uint8Array<ArrayBuffer>> {
  checkJsonType(contentType(request))
  checkContentEncoding(request.headers)
  return readBody(parts, request)
}

async function readMultipart(parts: RouterParts, exchange: Exchange, request: Request): Promise<FormRequest> {
  const type = contentType(request)
  checkFormType(type)
  exchange.replay?.noteOpaqueRequest(type)
  checkContentEncoding(request.headers)
  const maxBytes = maxBodyBytes(parts)
  checkStatedLength(request.headers, maxBytes)
  if (request.body === null) throw new RouterError('invalid_multipart', 'The request has no body.')
  let fault: RouterError | null = null
  const form = await readForm(parts, request.body, type, {
    maxBodyBytes: maxBytes,
    onLateModel: (late) => refuseOtherModel(late, exchange),
    onFault(error) {
      fault = error
    },
  })
  const { model, stream, isWhole, isUntouched, bodyFor } = form
  return {
    bodyFor,
    canResend: isWhole,
    isBodyUntouched: isUntouched,
    json: null,
    requestedModel: model,
    // Not known of a long form that says so after its beginning; its answer is taken as it comes.
    wantsStream: stream ?? false,
    storedResponseId: null,
    bodyFault: () => fault,
    async discard() {
      const rest = isUntouched() ? bodyFor(null) : null
      if (rest instanceof ReadableStream) await discardBody(parts.platform, rest)
    },
  }
}

/** How long a form may take to be held whole; one that comes more slowly streams, as somebody may be recording it. */
const HOLD_MS = 30_000

async function readForm(
  { platform }: RouterParts,
  body: ReadableStream<Uint8Array>,
  type: string,
  limits: MultipartLimits,
): Promise<MultipartForm> {
  let callOff: () => void = () => {}
  const patience = new Promise<void>((resolve) => {
    callOff = platform.after(HOLD_MS, resolve)
  })
  try {
    return await readMultipartModel(body, type, { ...limits, patience })
  } catch (cause) {
    if (cause instanceof RouterError) throw cause
    throw new RouterError('client_closed_request', 'The request body broke off.', { cause })
  } finally {
    callOff()
  }
}

/** A form whose `model` came too late to route by it must not reach another model than the one it was routed to. */
function refuseOtherModel(late: string, { model }: Exchange): void {
  if (late === model) return
  throw new RouterError(
    'invalid_request',
    `The field \`model\` came after more than 1 MiB of the form; put it before the file to choose ${quoted(late)}.`,
    { param: 'model' },
  )
}
