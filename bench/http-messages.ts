// Reads HTTP/1.1 messages off one connection: just enough to know where each begins and ends. Requests and answers are
// alike here, so the load generator and the upstream share it.

export interface HttpMessage {
  /** First line and header lines, as they came. */
  readonly head: string
  readonly bodyBytes: number
  /** The first bytes of the body, for an upstream that looks at what is wanted. */
  readonly bodyStart: string
}

const HEAD_END = '\r\n\r\n'
const LINE_END = '\r\n'
const BODY_START_BYTES = 96
const EMPTY = Buffer.alloc(0)

interface ReaderState {
  phase: 'head' | 'body' | 'chunk-size' | 'chunk' | 'trailer'
  /** What came before its line or head was complete. */
  kept: Buffer
  /** Bytes still to skip of the body or chunk under way. */
  left: number
  head: string
  bodyBytes: number
  bodyStart: string
}

/** Feeds bytes as they come; `onMessage` is called at the end of each message. A body without a length has none. */
export function createMessageReader(onMessage: (message: HttpMessage) => void): (bytes: Buffer) => void {
  const state: ReaderState = { phase: 'head', kept: EMPTY, left: 0, head: '', bodyBytes: 0, bodyStart: '' }
  return function push(bytes) {
    const data = state.kept.length === 0 ? bytes : Buffer.concat([state.kept, bytes])
    state.kept = EMPTY
    let at = 0
    while (at < data.length) {
      const next = step(state, data, at)
      if (next < 0) {
        state.kept = data.subarray(at)
        return
      }
      at = next
      if (state.phase === 'head' && state.head !== '') {
        const { head, bodyBytes, bodyStart } = state
        state.head = ''
        state.bodyStart = ''
        onMessage({ head, bodyBytes, bodyStart })
      }
    }
  }
}

/** Where to go on reading; -1 when more bytes are needed first. Back in the phase `head`, a message is complete. */
function step(state: ReaderState, data: Buffer, at: number): number {
  switch (state.phase) {
    case 'head':
      return readHead(state, data, at)
    case 'chunk-size':
      return readChunkSize(state, data, at)
    case 'trailer':
      return readTrailer(state, data, at)
    case 'body':
    case 'chunk': {
      if (state.bodyStart === '')
        state.bodyStart = data.toString('latin1', at, at + Math.min(state.left, BODY_START_BYTES))
      const taken = Math.min(state.left, data.length - at)
      state.left -= taken
      if (state.left === 0) state.phase = state.phase === 'body' ? 'head' : 'chunk-size'
      return at + taken
    }
  }
}

function readHead(state: ReaderState, data: Buffer, at: number): number {
  const end = data.indexOf(HEAD_END, at, 'latin1')
  if (end === -1) return -1
  state.head = data.toString('latin1', at, end)
  const length = /\r\ncontent-length: *(\d+)/i.exec(state.head)?.[1]
  state.left = Number(length ?? 0)
  state.bodyBytes = state.left
  if (length === undefined && /\r\ntransfer-encoding: *chunked/i.test(state.head)) state.phase = 'chunk-size'
  else if (state.left > 0) state.phase = 'body'
  return end + HEAD_END.length
}

function readChunkSize(state: ReaderState, data: Buffer, at: number): number {
  const end = data.indexOf(LINE_END, at, 'latin1')
  if (end === -1) return -1
  const size = Number.parseInt(data.toString('latin1', at, end), 16)
  state.bodyBytes += size
  // The line end after the chunk's bytes is skipped with them.
  state.left = size + LINE_END.length
  state.phase = size === 0 ? 'trailer' : 'chunk'
  return end + LINE_END.length
}

function readTrailer(state: ReaderState, data: Buffer, at: number): number {
  const end = data.indexOf(LINE_END, at, 'latin1')
  if (end === -1) return -1
  if (end === at) state.phase = 'head'
  return end + LINE_END.length
}
