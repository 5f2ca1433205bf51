// Reads a JSON request body: which bodies are refused, and the few fields that steer where a request goes.
// The bytes stay as they came, because they are what a worker gets (numbers, escapes and key order included).

import { RouterError, quoted } from '../errors/router-error.ts'
import { hasEscapedKey, memberKey, scanJsonObject, type JsonMember, type JsonScan } from './json-scan.ts'

export interface JsonBody {
  /** The body as it came, a byte order mark included. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly value: Readonly<Record<string, unknown>>
  /** Where the top-level members lie in `bytes`, for splicing. */
  readonly members: readonly JsonMember[]
}

export interface Steering {
  readonly model: string | null
  readonly stream: boolean
  readonly previousResponseId: string | null
}

export const JSON_LIMITS = { maxDepth: 128, maxMembers: 1024 } as const

export const MAX_MODEL_LENGTH = 256

/**
 * Top-level fields that decide where a request goes or what it may do. One that repeats is refused: parsers differ on
 * which of the two they take, so the router could check one value and the worker run the other.
 */
export const STEERING_KEYS: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'user',
  'session_id',
  'user_id',
  'session_params',
  'previous_response_id',
])

// The longest steering key with each character spelt \uXXXX, and two quotes: no longer key can be one of them.
const MAX_STEERING_KEY_BYTES = Math.max(...[...STEERING_KEYS].map((key) => key.length)) * 6 + 2

/** Keeps nothing from one text to the next, as none is decoded in parts. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

// eslint-disable-next-line no-control-regex -- finding control characters is the point
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/

/** Parses a request body that has to be one JSON object. Throws `RouterError` with what is wrong and where. */
export function parseJsonBody(bytes: Uint8Array<ArrayBuffer>): JsonBody {
  refuseOtherEncodings(bytes)
  const scan = scanJsonObject(bytes, hasByteOrderMark(bytes) ? 3 : 0, JSON_LIMITS)
  if (scan.kind !== 'object' && scan.kind !== 'malformed') throw refusedByScan(bytes, scan)
  const value = parseText(decodeUtf8(bytes))
  // JSON.parse accepted the bytes, so a scan that stumbled or a value that is no object is a defect of ours.
  if (scan.kind !== 'object' || !isObject(value)) throw new RouterError('internal_error', 'The body was misread.')
  refuseRepeatedKeys(bytes, scan.members)
  return { bytes, value: withTrueKeys(bytes, value, scan.members), members: scan.members }
}

/** Reads and checks the fields that steer a request. `null` counts as absent, as it does for vLLM. */
export function readSteering(value: Readonly<Record<string, unknown>>): Steering {
  const stream = field(value, 'stream') ?? false
  if (typeof stream !== 'boolean') throw wrongType('stream', 'true, false or null')
  const previousResponseId = field(value, 'previous_response_id') ?? null
  if (previousResponseId !== null && typeof previousResponseId !== 'string') {
    throw wrongType('previous_response_id', 'a string or null')
  }
  return { model: readModel(field(value, 'model') ?? null), stream, previousResponseId }
}

/** Checks a model name wherever it comes from (a JSON field, a form field). */
export function readModel(model: unknown): string | null {
  if (model === null) return null
  if (typeof model !== 'string') throw wrongType('model', 'a string')
  if (model === '') throw new RouterError('invalid_request', '`model` must not be empty.', { param: 'model' })
  if (model.length > MAX_MODEL_LENGTH) {
    throw new RouterError('invalid_request', `\`model\` is longer than ${MAX_MODEL_LENGTH} characters.`, {
      param: 'model',
    })
  }
  if (CONTROL_CHARACTER.test(model)) {
    throw new RouterError('invalid_request', '`model` must not hold control characters.', { param: 'model' })
  }
  return model
}

// Own properties only: `__proto__` in a body must not lend its fields.
function field(value: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined
}

function wrongType(param: string, allowed: string): RouterError {
  return new RouterError('invalid_request', `\`${param}\` must be ${allowed}.`, { param })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

// JSON starts with two ASCII characters, so a zero among the first two bytes is UTF-16 or UTF-32 (RFC 4627, 3).
function refuseOtherEncodings(bytes: Uint8Array): void {
  const [first, second] = bytes
  const hasMark = (first === 0xfe && second === 0xff) || (first === 0xff && second === 0xfe)
  const hasZero = bytes.length > 1 && (first === 0 || second === 0)
  if (!hasMark && !hasZero) return
  throw new RouterError('unsupported_media_type', 'The body looks like UTF-16 or UTF-32. Send JSON as UTF-8.')
}

function refusedByScan(bytes: Uint8Array, scan: Exclude<JsonScan, { kind: 'object' }>): RouterError {
  if (scan.kind === 'too_deep') {
    const message = `The body nests deeper than ${JSON_LIMITS.maxDepth} levels, in the value at byte ${scan.at}.`
    return new RouterError('invalid_json', message)
  }
  if (scan.kind === 'too_many_members') {
    return new RouterError('invalid_json', `The body has more than ${JSON_LIMITS.maxMembers} top-level keys.`)
  }
  if (scan.at >= bytes.length) return new RouterError('invalid_json', 'The body is empty. Send a JSON object.')
  return new RouterError('invalid_json', `The body is no JSON object: it must start with { at byte ${scan.at}.`)
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes)
  } catch (cause) {
    throw new RouterError('invalid_json', 'The body is not valid UTF-8.', { cause })
  }
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // JavaScriptCore answers with a RangeError where its stack ends.
    if (!(cause instanceof SyntaxError) && !(cause instanceof RangeError)) throw cause
    throw new RouterError('invalid_json', `The body is not valid JSON${where(cause.message)}.`, { cause })
  }
}

// V8 gives an escaped key a wrong name when an earlier JSON.parse met a key that looks like it (nodejs/node#63785, seen
// on Node 24 and Deno 2.9), which would hide a `model` from the router that the worker sees. So where a top-level key
// has an escape, the object is put together again by the scanner's keys. Below the top level nothing steers.
function withTrueKeys(
  bytes: Uint8Array,
  value: Readonly<Record<string, unknown>>,
  members: readonly JsonMember[],
): Readonly<Record<string, unknown>> {
  if (!members.some((member) => hasEscapedKey(bytes, member))) return value
  const decoder = new TextDecoder()
  return Object.fromEntries(
    members.map((member) => {
      const json = decoder.decode(bytes.subarray(member.valueStart, member.valueEnd))
      return [memberKey(bytes, member), JSON.parse(json)]
    }),
  )
}

// Only the place is taken over: engines quote the input around it, each in its own way.
function where(engineMessage: string): string {
  const place = /at (?:position \d+(?: \(line \d+ column \d+\))?|line \d+ column \d+)/.exec(engineMessage)?.[0]
  if (place !== undefined) return `: it breaks off or goes wrong ${place}`
  return /unexpected (?:end|eof)|unterminated/i.test(engineMessage) ? ': it ends too early' : ''
}

function refuseRepeatedKeys(bytes: Uint8Array, members: readonly JsonMember[]): void {
  const seen = new Set<string>()
  for (const member of members) {
    if (member.keyEnd - member.keyStart > MAX_STEERING_KEY_BYTES) continue
    const key = memberKey(bytes, member)
    if (!STEERING_KEYS.has(key)) continue
    if (seen.has(key)) {
      throw new RouterError('invalid_request', `The body has ${quoted(key)} more than once.`, { param: key })
    }
    seen.add(key)
  }
}
