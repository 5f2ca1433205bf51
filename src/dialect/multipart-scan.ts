// Follows the parts of a multipart/form-data body (RFC 7578) as its bytes go by, and reads the few text fields wanted.
// Line by line: what it keeps is one line's beginning and one short value, however big the files in between are.

import { RouterError } from '../errors/router-error.ts'
import { isText, matchesAt, trimEnd, withoutLineBreak } from './ascii.ts'
import { readDisposition, repeated } from './multipart-disposition.ts'

export interface FormScan {
  /** Two dashes and the boundary. */
  readonly delimiter: string
  readonly wanted: ReadonlySet<string>
  readonly maxParts: number
  readonly fields: Map<string, string>
  /** Where the values of `fields` lie, as offsets from the start of the body. */
  readonly spans: Map<string, FieldSpan>
  /** Where the first delimiter begins; null until it has come by. */
  firstPartAt: number | null
  phase: 'preamble' | 'headers' | 'body' | 'epilogue'
  parts: number
  /** The part's name when it is a wanted text field. */
  field: string | null
  hasDisposition: boolean
  /** Where the current line began, and where the value of the current part did. */
  lineStart: number
  valueStart: number
  readonly value: ByteRun
  readonly line: ByteRun
}

export interface FieldSpan {
  readonly start: number
  readonly end: number
}

/** The first bytes of something longer, and how long it is in all. */
interface ByteRun {
  readonly kept: Uint8Array
  length: number
}

/** A header line or a delimiter with padding beyond this is no honest client's. */
const MAX_LINE_BYTES = 4096

export const MAX_FIELD_BYTES = 256

const LF = 0x0a

export interface FormScanOptions {
  readonly boundary: string
  readonly wanted: ReadonlySet<string>
  readonly maxParts: number
}

export function createFormScan({ boundary, wanted, maxParts }: FormScanOptions): FormScan {
  return {
    delimiter: `--${boundary}`,
    wanted,
    maxParts,
    fields: new Map(),
    spans: new Map(),
    firstPartAt: null,
    phase: 'preamble',
    parts: 0,
    field: null,
    hasDisposition: false,
    lineStart: 0,
    valueStart: 0,
    // Room for the line break before the next delimiter, which belongs to the delimiter.
    value: { kept: new Uint8Array(MAX_FIELD_BYTES + 2), length: 0 },
    line: { kept: new Uint8Array(MAX_LINE_BYTES), length: 0 },
  }
}

/** Takes the next bytes. Throws `RouterError` on a broken part, too many parts, or a wanted field that repeats. */
export function scanForm(scan: FormScan, chunk: Uint8Array): void {
  let at = 0
  while (at < chunk.length && scan.phase !== 'epilogue') {
    const lineFeed = chunk.indexOf(LF, at)
    const end = lineFeed < 0 ? chunk.length : lineFeed + 1
    const piece = chunk.subarray(at, end)
    at = end
    if (lineFeed >= 0 && scan.line.length === 0) {
      takeLine(scan, piece, piece.length)
      scan.lineStart += piece.length
      continue
    }
    append(scan.line, piece)
    if (lineFeed >= 0) endScanLine(scan)
  }
}

/** The body has ended: its last line may lack a line break. */
export function endForm(scan: FormScan): void {
  if (scan.line.length > 0) endScanLine(scan)
  if (scan.phase === 'preamble') throw noDelimiter()
}

export function noDelimiter(): RouterError {
  const message = 'The body is not multipart: the boundary named in Content-Type does not occur in it.'
  return new RouterError('invalid_multipart', message)
}

function endScanLine(scan: FormScan): void {
  const { kept, length } = scan.line
  scan.line.length = 0
  takeLine(scan, kept.subarray(0, Math.min(length, MAX_LINE_BYTES)), length)
  scan.lineStart += length
}

// `line` is the line with its break, or the beginning of one that has `length` bytes.
function takeLine(scan: FormScan, line: Uint8Array, length: number): void {
  const kind = length <= MAX_LINE_BYTES ? delimiterKind(scan.delimiter, line) : null
  if (kind !== null) return startPart(scan, kind === 'last')
  if (scan.phase === 'headers') return takeHeaderLine(scan, line, length)
  if (scan.phase === 'body' && scan.field !== null) append(scan.value, line, length)
}

function delimiterKind(delimiter: string, line: Uint8Array): 'next' | 'last' | null {
  if (!matchesAt(line, 0, delimiter)) return null
  const rest = trimEnd(line.subarray(delimiter.length))
  if (rest.length === 0) return 'next'
  return isText(rest, '--') ? 'last' : null
}

function startPart(scan: FormScan, isLast: boolean): void {
  endPart(scan)
  scan.firstPartAt ??= scan.lineStart
  scan.phase = isLast ? 'epilogue' : 'headers'
  if (isLast) return
  scan.parts++
  if (scan.parts > scan.maxParts) {
    throw new RouterError('invalid_multipart', `The body has more than ${scan.maxParts} parts.`)
  }
}

function endPart(scan: FormScan): void {
  const { field, value } = scan
  scan.field = null
  scan.hasDisposition = false
  if (field === null) return
  const text = withoutLineBreak(value.kept.subarray(0, Math.min(value.length, value.kept.length)))
  if (value.length > value.kept.length || text.length > MAX_FIELD_BYTES) {
    throw new RouterError('invalid_request', `\`${field}\` is longer than ${MAX_FIELD_BYTES} bytes.`, { param: field })
  }
  scan.fields.set(field, decodeField(field, text))
  scan.spans.set(field, { start: scan.valueStart, end: scan.valueStart + text.length })
}

function takeHeaderLine(scan: FormScan, line: Uint8Array, length: number): void {
  if (length > MAX_LINE_BYTES) throw new RouterError('invalid_multipart', 'A header line of a part is too long.')
  const text = new TextDecoder().decode(withoutLineBreak(line))
  if (text === '') {
    scan.phase = 'body'
    scan.value.length = 0
    scan.valueStart = scan.lineStart + length
    return
  }
  // Parsers differ on folded lines; no client sends them, so a form that has one is up to something.
  if (/^[ \t]/.test(text)) throw new RouterError('invalid_multipart', 'A header line of a part is folded.')
  const disposition = /^content-disposition[ \t]*:(.*)$/is.exec(text)?.[1]
  if (disposition === undefined) return
  if (scan.hasDisposition) throw repeated('a part with two Content-Disposition headers')
  scan.hasDisposition = true
  scan.field = wantedField(scan, disposition)
}

function wantedField(scan: FormScan, disposition: string): string | null {
  const parameters = readDisposition(disposition)
  const name = parameters.get('name')
  if (name === undefined || !scan.wanted.has(name)) return null
  // A second one is refused even as a file: the worker may take the last of a name, whatever it is.
  if (scan.fields.has(name)) throw repeated(`the field \`${name}\` more than once`, name)
  return parameters.has('filename') || parameters.has('filename*') ? null : name
}

function decodeField(field: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new RouterError('invalid_request', `\`${field}\` is not valid UTF-8.`, { cause, param: field })
  }
}

function append(run: ByteRun, piece: Uint8Array, pieceLength = piece.length): void {
  const room = run.kept.length - run.length
  if (room > 0) run.kept.set(piece.subarray(0, room), run.length)
  run.length += pieceLength
}
