// Follows the parts of a multipart/form-data body (RFC 7578) as its bytes go by, and reads the few text fields wanted.
// Line by line: what it keeps is one line's beginning and one short value, however big the files in between are.

import { RouterError } from '../errors/router-error.ts'
import { isText, matchesAt, withoutLineBreak } from './ascii.ts'
import { readFormParameters, repeated } from './multipart-parameters.ts'

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
  /** Whether every parser takes a delimiter for one now: at the very beginning, and after a line of a part's body. */
  isDelimiterDue: boolean
  /** The byte before the chunk that is looked at. */
  lastByte: number
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
const CR = 0x0d

/** What after a delimiter's text makes it one to some parser: a line break, padding, or the dashes of the last one. */
const AFTER_DELIMITER: ReadonlySet<number> = new Set([CR, LF, 0x20, 0x09, 0x2d])

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
    isDelimiterDue: true,
    lastByte: LF,
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
    if (lineFeed < 0) {
      append(scan.line, piece)
      continue
    }
    const endsInCrlf = (lineFeed > 0 ? chunk[lineFeed - 1] : scan.lastByte) === CR
    if (scan.line.length === 0) takeLine(scan, { start: piece, length: piece.length, endsInCrlf })
    else {
      append(scan.line, piece)
      takeHeldLine(scan, endsInCrlf)
    }
  }
  scan.lastByte = chunk.at(-1) ?? scan.lastByte
}

/** The body has ended: its last line may lack a line break. */
export function endForm(scan: FormScan): void {
  if (scan.line.length > 0) takeHeldLine(scan, false)
  if (scan.phase === 'preamble') throw noDelimiter()
}

export function noDelimiter(): RouterError {
  const message = 'The body is not multipart: it does not begin with the boundary named in Content-Type.'
  return new RouterError('invalid_multipart', message)
}

function takeHeldLine(scan: FormScan, endsInCrlf: boolean): void {
  const { kept, length } = scan.line
  scan.line.length = 0
  takeLine(scan, { start: kept.subarray(0, Math.min(length, MAX_LINE_BYTES)), length, endsInCrlf })
}

interface Line {
  /** The line with its break, or the beginning of one that is longer. */
  readonly start: Uint8Array
  readonly length: number
  readonly endsInCrlf: boolean
}

function takeLine(scan: FormScan, line: Line): void {
  const kind = delimiterKind(scan, line.start)
  if (kind !== null) startPart(scan, kind === 'last')
  else if (scan.phase === 'headers') takeHeaderLine(scan, line)
  else if (scan.phase === 'preamble') passBlankLine(line)
  else takeBodyLine(scan, line)
  scan.lineStart += line.length
}

// What is a delimiter to one parser and data to another could hide a part of the form from the router, or from the
// worker: a form that has such a line is refused. Python's own, which vLLM uses, wants CRLF around it and no padding.
function delimiterKind({ delimiter, isDelimiterDue }: FormScan, line: Uint8Array): 'next' | 'last' | null {
  if (!matchesAt(line, 0, delimiter)) return null
  const next = line[delimiter.length]
  if (next !== undefined && !AFTER_DELIMITER.has(next)) return null
  const rest = line.subarray(delimiter.length)
  const isLast = isText(rest, '--\r\n') || isText(rest, '--')
  if (isDelimiterDue && (isLast || isText(rest, '\r\n'))) return isLast ? 'last' : 'next'
  const message = 'The body has a line like a delimiter that is none: parts end in CRLF, --boundary, and CRLF or --.'
  throw new RouterError('invalid_multipart', message)
}

/** Nothing goes before the first delimiter: most parsers refuse it, and one that skips it sees another form. */
function passBlankLine({ start }: Line): void {
  if (withoutLineBreak(start).length > 0) throw noDelimiter()
}

function takeBodyLine(scan: FormScan, { start, length, endsInCrlf }: Line): void {
  scan.isDelimiterDue = endsInCrlf
  if (scan.field !== null) append(scan.value, start, length)
}

function startPart(scan: FormScan, isLast: boolean): void {
  endPart(scan)
  scan.firstPartAt ??= scan.lineStart
  scan.phase = isLast ? 'epilogue' : 'headers'
  scan.isDelimiterDue = false
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

function takeHeaderLine(scan: FormScan, { start, length }: Line): void {
  if (length > MAX_LINE_BYTES) throw new RouterError('invalid_multipart', 'A header line of a part is too long.')
  const text = new TextDecoder().decode(withoutLineBreak(start))
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
  const parameters = readFormParameters(disposition)
  const name = parameters.get('name')
  if (name === undefined) return null
  const isEscaped = name.includes('\\') && scan.wanted.has(name.replaceAll('\\', ''))
  if (isEscaped) throw repeated('a field whose name has a backslash', name.replaceAll('\\', ''))
  if (!scan.wanted.has(name)) return null
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
