// Reads a multipart form up to its `model` field and hands on a body that is byte for byte what came in.
// Audio files are big, so only the beginning is held; the rest is watched as it streams, never kept.

import { RouterError } from '../errors/router-error.ts'
import { readModel } from './json-body.ts'
import { withEdits } from './splice.ts'
import { createFormScan, endForm, noDelimiter, scanForm, type FormScan } from './multipart-scan.ts'

export interface MultipartLimits {
  /** The form's beginning that may be held while looking for `model`. */
  readonly maxBufferedBytes?: number
  readonly maxParts?: number
  readonly maxBodyBytes: number
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
  /**
   * The whole body, to be asked for once: as it came for null and for the model it names, else with that name in the
   * field's place. Errors with a `RouterError` when it grows too large, breaks the format or repeats `model`.
   */
  readonly bodyFor: (model: string | null) => ReadableStream<Uint8Array>
}

const DEFAULT_MAX_BUFFERED_BYTES = 1024 * 1024
const DEFAULT_MAX_PARTS = 1000
const WANTED: ReadonlySet<string> = new Set(['model', 'stream'])

/** What FastAPI reads as true in a form. */
const TRUE_WORDS: ReadonlySet<string> = new Set(['true', '1', 'on', 'yes', 't', 'y'])

/** What is used of a stream's reader; the runtimes' own declarations of it disagree. */
interface ByteReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
  cancel(reason?: unknown): Promise<void>
}

interface Reading {
  readonly reader: ByteReader
  readonly scan: FormScan
  readonly limits: MultipartLimits
  readonly buffered: Uint8Array[]
  bytesRead: number
  isEnded: boolean
}

/** Throws `RouterError` for a form whose beginning is unusable; the source is cancelled then. */
export async function readMultipartModel(
  body: ReadableStream<Uint8Array>,
  contentType: string,
  limits: MultipartLimits,
): Promise<MultipartForm> {
  const { maxParts = DEFAULT_MAX_PARTS } = limits
  const scan = createFormScan({ boundary: readBoundary(contentType), wanted: WANTED, maxParts })
  const reading: Reading = { reader: body.getReader(), scan, limits, buffered: [], bytesRead: 0, isEnded: false }
  try {
    await bufferUpToModel(reading)
    const model = readModel(scan.fields.get('model') ?? null)
    const stream = scan.fields.get('stream')
    const isStream = stream === undefined ? null : TRUE_WORDS.has(stream.toLowerCase())
    const isModelKnown = model !== null
    return {
      model,
      stream: isStream,
      bodyFor(wanted) {
        if (wanted !== null && wanted !== model) nameModel(reading, wanted)
        return replayBody(reading, isModelKnown)
      },
    }
  } catch (error) {
    release(reading, error)
    throw error
  }
}

/** The boundary parameter of a multipart Content-Type (RFC 2046, 5.1.1). */
export function readBoundary(contentType: string): string {
  const match = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(contentType)
  const boundary = match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2] ?? ''
  if (/^[\x20-\x7e]{0,69}[\x21-\x7e]$/.test(boundary)) return boundary
  const message = 'Content-Type must name the boundary: multipart/form-data; boundary=<1 to 70 ASCII characters>.'
  throw new RouterError('invalid_multipart', message)
}

async function bufferUpToModel(reading: Reading): Promise<void> {
  const { scan, limits, buffered } = reading
  const { maxBufferedBytes = DEFAULT_MAX_BUFFERED_BYTES } = limits
  while (!scan.fields.has('model') && scan.phase !== 'epilogue' && reading.bytesRead < maxBufferedBytes) {
    const chunk = await readChunk(reading)
    if (chunk === null) return
    buffered.push(chunk)
  }
  if (scan.phase === 'preamble') throw noDelimiter()
}

// Every byte passes here, whether held or streamed: the limits hold for the whole body.
async function readChunk(reading: Reading): Promise<Uint8Array | null> {
  const { done, value } = await reading.reader.read()
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

// In the held beginning: that is where the field lies when it is known, and where a new one goes, before all others.
function nameModel({ scan, buffered }: Reading, model: string): void {
  const held = concatenate(buffered)
  const span = scan.spans.get('model')
  const at = scan.firstPartAt ?? 0
  const edit = span === undefined ? { start: at, end: at, text: modelPart(scan, model) } : { ...span, text: model }
  buffered.splice(0, buffered.length, withEdits(held, [edit]))
}

function modelPart({ delimiter }: FormScan, model: string): string {
  return `${delimiter}\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n`
}

function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

function replayBody(reading: Reading, isModelKnown: boolean): ReadableStream<Uint8Array> {
  const { buffered, limits } = reading
  let isModelDue = !isModelKnown
  let next = 0
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const held = buffered[next]
        if (held !== undefined) {
          buffered[next++] = new Uint8Array(0)
          return controller.enqueue(held)
        }
        try {
          const chunk = reading.isEnded ? null : await readChunk(reading)
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
      cancel: (reason) => reading.reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

function release(reading: Reading, error: unknown): void {
  // A source that fails to cancel has failed already; the error in hand is the one that counts.
  reading.reader.cancel(error).catch(() => undefined)
}
