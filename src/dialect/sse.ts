// Finds the events of a server-sent event stream in bytes that come in any pieces: LF, CRLF and CR, comments, a byte
// order mark. https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

import { matchesAt } from './ascii.ts'

/** Progress through the event being scanned. Offsets count from its first byte, so they survive a move of the bytes. */
export interface SseScan {
  offset: number
  lineStart: number
  /** The last byte was a CR: an LF that follows belongs to it. */
  afterReturn: boolean
  isStreamStart: boolean
  hasFields: boolean
  nameStart: number
  nameEnd: number
  dataLines: number
  dataStart: number
  dataEnd: number
}

export interface SseEvent {
  /** The `event:` field, null when there is none. */
  readonly name: Uint8Array | null
  readonly data: Uint8Array
  /** What `data` holds of an event too big to keep: its first or its last bytes. */
  readonly part: 'whole' | 'head' | 'tail'
}

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const COLON = 0x3a

export function createSseScan(): SseScan {
  return {
    offset: 0,
    lineStart: 0,
    afterReturn: false,
    isStreamStart: true,
    hasFields: false,
    nameStart: -1,
    nameEnd: -1,
    dataLines: 0,
    dataStart: -1,
    dataEnd: -1,
  }
}

/** Makes ready for the next event. What the bytes before it mean for it (a CR, the stream's start) is kept. */
export function resetSseScan(scan: SseScan): void {
  scan.offset = 0
  scan.lineStart = 0
  scan.hasFields = false
  scan.nameStart = -1
  scan.nameEnd = -1
  scan.dataLines = 0
  scan.dataStart = -1
  scan.dataEnd = -1
}

/**
 * Goes on from where the scan stood and returns the index after the event's end, or -1 when `bytes` end first.
 * `eventStart` is the event's first byte; negative when so many of its bytes are gone already, which costs the fields
 * of lines that began there. A comment outside an event ends like an event, so that keep-alives are not held back.
 */
export function scanSseEvent(scan: SseScan, bytes: Uint8Array, eventStart: number): number {
  let at = eventStart + scan.offset
  if (scan.afterReturn && at < bytes.length) {
    scan.afterReturn = false
    if (bytes[at] === LF) {
      at++
      if (scan.offset === 0) return at
      scan.lineStart = at - eventStart
    }
  }
  for (; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte !== LF && byte !== CR) continue
    let next = at + 1
    if (byte === CR) {
      if (bytes[next] === LF) next++
      else scan.afterReturn = next === bytes.length
    }
    if (endLine(scan, bytes, { eventStart, lineEnd: at })) return next
    scan.lineStart = next - eventStart
    at = next - 1
  }
  scan.offset = bytes.length - eventStart
  return -1
}

/** The event just found at `eventStart`, as views into `bytes`; null when it carries no data. */
export function readSseEvent(scan: SseScan, bytes: Uint8Array, eventStart: number): SseEvent | null {
  if (scan.dataLines === 0) return null
  const view = (start: number, end: number) => bytes.subarray(eventStart + start, eventStart + end)
  const name = scan.nameStart < 0 ? null : view(scan.nameStart, scan.nameEnd)
  if (scan.dataLines === 1) return { name, data: view(scan.dataStart, scan.dataEnd), part: 'whole' }
  return { name, data: joinDataLines(view(scan.dataStart, scan.dataEnd)), part: 'whole' }
}

interface Line {
  readonly eventStart: number
  readonly lineEnd: number
}

// True when the line ends an event. A comment does so only outside one, where a cut can't tear fields apart.
function endLine(scan: SseScan, bytes: Uint8Array, line: Line): boolean {
  let start = line.eventStart + scan.lineStart
  if (scan.isStreamStart) {
    scan.isStreamStart = false
    if (matchesAt(bytes, start, '\u00ef\u00bb\u00bf')) start += 3
  }
  if (start === line.lineEnd) return true
  if (bytes[start] === COLON) return !scan.hasFields
  scan.hasFields = true
  readField(scan, bytes, { ...line, start })
  return false
}

function readField(scan: SseScan, bytes: Uint8Array, line: Line & { readonly start: number }): void {
  const { eventStart, start, lineEnd } = line
  if (matchesAt(bytes, start, 'data')) {
    const value = valueStart(bytes, start + 4, lineEnd)
    if (value < 0) return
    scan.dataLines++
    // Several lines are joined when the event is read; until then the span runs from the first value to the last.
    if (scan.dataLines === 1) scan.dataStart = value - eventStart
    scan.dataEnd = lineEnd - eventStart
  } else if (matchesAt(bytes, start, 'event')) {
    const value = valueStart(bytes, start + 5, lineEnd)
    if (value < 0) return
    scan.nameStart = value - eventStart
    scan.nameEnd = lineEnd - eventStart
  }
}

// Where the field's value starts, -1 when the name goes on. A field without a colon has an empty value.
function valueStart(bytes: Uint8Array, afterName: number, lineEnd: number): number {
  if (afterName === lineEnd) return lineEnd
  if (afterName > lineEnd || bytes[afterName] !== COLON) return -1
  return bytes[afterName + 1] === SPACE ? afterName + 2 : afterName + 1
}

// The span starts inside the first data line and may hold comments and other fields between the rest.
function joinDataLines(span: Uint8Array): Uint8Array {
  const [first, ...lines] = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(span).split(/\r\n|\n|\r/)
  const values = lines.flatMap((line) => /^data(?:$|: ?)(.*)/s.exec(line)?.[1] ?? [])
  return new TextEncoder().encode([first, ...values].join('\n'))
}
