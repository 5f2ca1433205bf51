// Asks a worker for the token counts of a stream that its caller did not ask for. Only `stream_options` changes in the
// body; every other byte stays as it came.

import { JSON_LIMITS } from './json-body.ts'
import { type JsonMember, memberKey, scanJsonObject } from './json-scan.ts'
import { fieldOf } from './json-peek.ts'
import { withEdits } from './splice.ts'

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

const ASKED = '"include_usage":true'

/** Whether the caller wants the usage chunk itself; then it must also get it. */
export function asksForUsage(json: Readonly<Record<string, unknown>>): boolean {
  return fieldOf(fieldOf(json, 'stream_options'), 'include_usage') === true
}

/**
 * The body with usage asked for. Null where `stream_options` is nothing that could hold the wish: the worker refuses it.
 * `bytes` have been accepted as a JSON object before.
 */
export function withUsageAsked(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | null {
  const open = bytes.indexOf(0x7b)
  const scan = scanJsonObject(bytes, open, JSON_LIMITS)
  if (scan.kind !== 'object') return null
  // Parsers differ on which of two they take, so every one of that name is made to ask.
  const options = scan.members.filter((member) => memberKey(bytes, member) === 'stream_options')
  if (options.length === 0) return withEdits(bytes, [insertion(open, `"stream_options":{${ASKED}}`, scan.members)])
  const edits: Edit[] = []
  for (const member of options) {
    const own = editsOf(bytes, member)
    if (own === null) return null
    edits.push(...own)
  }
  return withEdits(bytes, edits)
}

function editsOf(bytes: Uint8Array<ArrayBuffer>, { valueStart, valueEnd }: JsonMember): readonly Edit[] | null {
  if (bytes[valueStart] === LETTER_N) return [{ start: valueStart, end: valueEnd, text: `{${ASKED}}` }]
  const scan = scanJsonObject(bytes, valueStart, JSON_LIMITS)
  if (scan.kind !== 'object') return null
  const found = scan.members.flatMap((member) => {
    const text = WANTED.get(memberKey(bytes, member))
    return text === undefined ? [] : [{ start: member.valueStart, end: member.valueEnd, text }]
  })
  const isAsked = scan.members.some((member) => memberKey(bytes, member) === 'include_usage')
  return isAsked ? found : [insertion(valueStart, ASKED, scan.members), ...found]
}

const LETTER_N = 0x6e

/** vLLM gives usage in every chunk only where it is asked for at all: asking must not bring a caller that, too. */
const WANTED: ReadonlyMap<string, string> = new Map([
  ['include_usage', 'true'],
  ['continuous_usage_stats', 'false'],
])

function insertion(open: number, text: string, members: readonly JsonMember[]): Edit {
  return { start: open + 1, end: open + 1, text: members.length === 0 ? text : `${text},` }
}
