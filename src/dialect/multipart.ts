// Reads a multipart form up to its `model` field and hands on a body that is byte for byte what came in.
// A short form is held whole; of a long one, audio files are big, the beginning is held and the rest watched as it streams.

import { RouterError } from '../errors/router-error.ts'
import { joinBytes } from './join-bytes.ts'
import { readModel } from './json-body.ts'
import { readFormParameters } from './multipart-parameters.ts'
import { withEdits } from './splice.ts'
import { createFormScan, endForm, noDelimiter, scanForm, type FormScan } from './multipart-scan.ts'

export interface MultipartLimits {
  /** What is held of a form: all of one that is no longer than this, and the beginning of any other. */
  readonly maxBufferedBytes?: number
  readonly maxParts?: number
  readonly maxBodyBytes: number
  /**
   * Settles when the rest of a form is no longer waited for: it then streams, once its `model` is known. Absent: the
   * wait is as long as the form takes.
   */
  readonly patience?: Promise<unknown>
  /**
   * Called with a `model` field that comes after the held beginning, when the request has been routed without it.
   * What it throws breaks the body off: so a form can't reach a model that the caller was not checked for.
   */
  onLateModel?(model: string): void
  /** Called with what is wrong when the body breaks off for a reason of ours, before its stream errors. */
  onFault?(error: RouterError): void
}

export interface MultipartForm {
  /** Null when the held beginning has no `model` field. */
  readonly model: string | null
  /** Null when the field has not come by yet. */
  readonly stream: boolean | null
  /** Whether all of the form is held; bodies are bytes then, and can be had as often as wanted. */
  readonly isWhole: boolean
  /** Whether nothing of the form has been read that is not held, so that `bodyFor` can give it once more. */
  readonly isUntouched: () => boolean
  /**
   * The whole body: as it came for null and for the model it names, else with that name in the field's place. A stream
   * ends the one given before it. It errors with a `RouterError` when it grows too large, breaks the format or repeats
   * `model`.
   */
  readonly bodyFor: (model: string | null) => Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>
}

const DEFAULT_MAX_BUFFERED_BYTES = 1024 * 1024
const DEFAULT_MAX_PARTS = 1000

/** The held beginning of a stream goes out in pieces: Deno asks for about two of them before it has a connection. */
const PIECE_BYTES = 64 * 1024

const WANTED: ReadonlySet<string> = new Set(['model', 'stream'])

/** What FastAPI reads as true in a form. */
const TRUE_WORDS: ReadonlySet<string> = new Set(['true', '1', 'on', 'yes', 't', 'y'])

interface ReadChunk {
  readonly done: boolean
  readonly value?: Uint8Array | undefined
}

/** What is used of a stream's reader; the runtimes' own declarations of it disagree. */
interface ByteReader {
  read(): Promise<ReadChunk>
  cancel(reason?: unknown): Promise<void>
}

interface Reading {
  readonly reader: ByteReader
  readonly scan: FormScan
  readonly limits: MultipartLimits
  bytesRead: number
  isEnded: boolean
  /** A read that took too long to be waited for; the stream goes on with it. */
  pending: Promise<ReadChunk> | null
  /** The body that may read on; one that was given earlier may not. */
  replay: symbol | null
  /** Whether something was read that is not held. */
  isTouched: boolean
}

/** Throws `RouterError` for a form whose beginning is unusable; the source is cancelled then. */
export async function readMultipartModel(
  body: ReadableStream<Uint8Array>,
  contentType: string,
  limits: MultipartLimits,
): Promise<MultipartForm> {
  const { maxParts = DEFAULT_MAX_PARTS } = limits
  const scan = createFormScan({ boundary: readBoundary(contentType), wanted: WANTED, maxParts })
  const reading: Reading = {
    reader: body.getReader(),
    scan,
    limits,
    bytesRead: 0,
    isEnded: false,
    pending: null,
    replay: null,
    isTouched: false,
  }
  try {
    const held = joinBytes(await readBeginning(reading))
    const model = readModel(scan.fields.get('model') ?? null)
    const stream = scan.fields.get('stream')
    const isWhole = reading.isEnded
    const headFor = memoized((wanted) => (wanted === null || wanted === model ? held : withModel(scan, held, wanted)))
    return {
      model,
      stream: stream === undefined ? null : TRUE_WORDS.has(stream.toLowerCase()),
      isWhole,
      isUntouched: () => !reading.isTouched,
      bodyFor: (wanted) => (isWhole ? headFor(wanted) : replayBody(reading, headFor(wanted), model !== null)),
    }
  } catch (error) {
    release(reading, error)
    throw error
  }
}

/** The boundary parameter of a multipart Content-Type (RFC 2046, 5.1.1). */
export function readBoundary(contentType: string): string {
  const parameters = readFormParameters(contentType)
  const boundary = parameters.get('boundary') ?? ''
  // Names and values are read in it by some parsers: with another charset they would be other names and values.
  if (!/^"?(?:utf-?8)?"?$/i.test(parameters.get('charset') ?? '')) {
    throw new RouterError('unsupported_media_type', 'A form is taken in UTF-8; leave `charset` out of Content-Type.')
  }
  if (/^[\x20-\x7e]{0,69}[\x21-\x7e]$/.test(boundary) && !/["\\]/.test(boundary)) return boundary
  const message = 'Content-Type must name the boundary: multipart/form-data; boundary=<1 to 70 ASCII characters>.'
  throw new RouterError('invalid_multipart', message)
}

/** What is held: all of a short form, and of any other up to its limit, or up to `model` when it comes slowly. */
async function readBeginning(reading: Reading): Promise<readonly Uint8Array[]> {
  const { scan, limits } = reading
  const { maxBufferedBytes = DEFAULT_MAX_BUFFERED_BYTES, patience } = limits
  const held: Uint8Array[] = []
  // One read beyond the limit's last byte tells a form that ends there from one that goes on.
  while (reading.bytesRead <= maxBufferedBytes) {
    const isModelDue = !scan.fields.has('model') && scan.phase !== 'epilogue'
    if (!isModelDue && patience !== undefined && (await isTooSlow(reading, patience))) break
    const chunk = await readChunk(reading)
    if (chunk === null) break
    held.push(chunk)
  }
  if (scan.phase === 'preamble') throw noDelimiter()
  return held
}

async function isTooSlow(reading: Reading, patience: Promise<unknown>): Promise<boolean> {
  reading.pending = reading.reader.read()
  const isInTime = await Promise.race([reading.pending.then(() => true), patience.then(() => false)])
  return !isInTime
}

// Every byte passes here, whether held or streamed: the limits hold for the whole body.
async function readChunk(reading: Reading): Promise<Uint8Array | null> {
  const next = reading.pending ?? reading.reader.read()
  reading.pending = null
  const { done, value } = await next
  if (done || value === undefined) {
    reading.isEnded = true
    endForm(reading.scan)
    return null
  }
  reading.bytesRead += value.length
  if (reading.bytesRead > reading.limits.maxBodyBytes) {
    const message = `The body is larger than ${reading.limits.maxBodyBytes} bytes.`
    throw new RouterError('body_too_large', message)
  }
  scanForm(reading.scan, value)
  return value
}

/** Attempts after the first mostly want the same model again, and forms are big. */
function memoized(
  make: (model: string | null) => Uint8Array<ArrayBuffer>,
): (model: string | null) => Uint8Array<ArrayBuffer> {
  let last: { readonly model: string | null; readonly bytes: Uint8Array<ArrayBuffer> } | null = null
  return function forModel(model) {
    if (last?.model !== model) last = { model, bytes: make(model) }
    return last.bytes
  }
}

// In the held beginning: that is where the field lies when it is known, and where a new one goes, before all others.
function withModel(scan: FormScan, held: Uint8Array<ArrayBuffer>, model: string): Uint8Array<ArrayBuffer> {
  const span = scan.spans.get('model')
  const at = scan.firstPartAt ?? 0
  return withEdits(held, [
    span === undefined ? { start: at, end: at, text: modelPart(scan, model) } : { ...span, text: model },
  ])
}

function modelPart({ delimiter }: FormScan, model: string): string {
  return `${delimiter}\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n`
}

function replayBody(
  reading: Reading,
  held: Uint8Array<ArrayBuffer>,
  isModelKnown: boolean,
): ReadableStream<Uint8Array> {
  const { limits } = reading
  const replay = Symbol('replay')
  reading.replay = replay
  let isModelDue = !isModelKnown
  let at = 0
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // A runtime that goes on with the body of an attempt that is over must not take bytes from the next.
        if (reading.replay !== replay) throw new Error('the body was given to another attempt')
        if (at < held.length) {
          // A copy: a runtime may take a chunk's buffer away, and this one may be wanted again.
          controller.enqueue(held.slice(at, at + PIECE_BYTES))
          at += PIECE_BYTES
          return
        }
        reading.isTouched = true
        try {
          const chunk = await readChunk(reading)
          const lateModel = isModelDue ? readModel(reading.scan.fields.get('model') ?? null) : null
          if (lateModel !== null) {
            isModelDue = false
            limits.onLateModel?.(lateModel)
          }
          if (chunk === null) controller.close()
          else controller.enqueue(chunk)
        } catch (error) {
          if (error instanceof RouterError) limits.onFault?.(error)
          release(reading, error)
          throw error
        }
      },
      // While nothing is lost the body may be wanted again, and whoever refuses the request reads it to its end.
      cancel: (reason) => (reading.isTouched ? reading.reader.cancel(reason) : undefined),
    },
    { highWaterMark: 0 },
  )
}

function release(reading: Reading, error: unknown): void {
  // A source that fails to cancel has failed already; the error in hand is the one that counts.
  reading.reader.cancel(error).catch(() => undefined)
}
