// `vllm-edge-router replay --record ID --to URL`: sends a request again that Router Replay has captured, and says whether the
// answer is the same.

import { answerText } from '../capture/answer-text.ts'
import { resendable } from '../capture/as-curl.ts'
import { mediaTypeOf } from '../capture/captured-body.ts'
import type { ReplayRecord } from '../capture/replay-record.ts'
import { StreamCapture } from '../capture/stream-capture.ts'
import { parseFlags } from './flags.ts'
import { EXIT, type Host } from './host.ts'
import { UsageError } from './usage-error.ts'

const HELP = `Usage: vllm-edge-router replay --record ID --to URL [options]

Sends a request again that Router Replay has captured (\`capture_request_body\`), and compares status, model and text of
the answer with those of the record.

Options:
  --record ID      the record, as in the header x-vsr-replay-id of the answer
  --to URL         the router to send it to
  --from URL       the router that has the record (default: the same)
  --admin-key KEY  opens the record (default: the variable ROUTER_ADMIN_KEY)
  --api-key KEY    sent with the request (default: the variable ROUTER_API_KEY)
  --json           print the comparison as JSON
  --help           print this text

Exit codes: 0 the same, 1 something differs, 2 wrong usage, or a record that can't be had or sent again.
`

const FLAGS = {
  record: { kind: 'value' },
  to: { kind: 'value' },
  from: { kind: 'value' },
  'admin-key': { kind: 'value' },
  'api-key': { kind: 'value' },
  json: { kind: 'switch' },
  help: { kind: 'switch' },
} as const

const RECORD_TIMEOUT_MS = 30_000
const ANSWER_TIMEOUT_MS = 600_000

/** What streams of a path look like; of others there is no text to compare. */
const STREAM_KINDS: Readonly<Record<string, ConstructorParameters<typeof StreamCapture>[0]>> = {
  '/v1/chat/completions': 'chat',
  '/v1/completions': 'completions',
  '/v1/responses': 'responses',
  '/v1/messages': 'messages',
}

/** Text beyond it is not compared. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** What was, and what is now; `isSame` is null where that can't be told, and `why` says why not. */
export interface Compared {
  readonly what: 'status' | 'model' | 'text'
  readonly before: string | null
  readonly now: string | null
  readonly isSame: boolean | null
  readonly why?: string
}

export async function replayRecord(host: Host, args: readonly string[]): Promise<number> {
  const parsed = parseFlags(args, FLAGS)
  if (args.includes('-h') || (parsed.ok && parsed.flags.has('help'))) {
    host.writeOut(HELP)
    return EXIT.good
  }
  try {
    if (!parsed.ok) throw new UsageError(`${parsed.message}\n\n${HELP.trimEnd()}`)
    const { flags } = parsed
    const to = addressOf('to', flags.value('to'))
    const from = flags.value('from') === null ? to : addressOf('from', flags.value('from'))
    const record = await fetchRecord(host, {
      url: `${from}/v1/router_replay/${encodeURIComponent(flags.value('record') ?? '')}`,
      key: flags.value('admin-key') ?? host.env('ROUTER_ADMIN_KEY') ?? null,
    })
    const answer = await sendAgain(host, record, to, flags.value('api-key') ?? host.env('ROUTER_API_KEY') ?? null)
    const compared = compare(record, answer)
    host.writeOut(
      flags.has('json') ? `${JSON.stringify({ record: record.id, compared }, null, 2)}\n` : toLines(compared),
    )
    return compared.some(({ isSame }) => isSame === false) ? EXIT.finding : EXIT.good
  } catch (error) {
    host.writeError(`vllm-edge-router replay: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT.usage
  }
}

function addressOf(flag: string, url: string | null): string {
  if (url !== null && /^https?:\/\//.test(url) && URL.canParse(url)) return url.replace(/\/+$/, '')
  throw new UsageError(`--${flag} takes an address such as http://127.0.0.1:3001`)
}

async function fetchRecord(host: Host, { url, key }: { readonly url: string; readonly key: string | null }) {
  const headers: Record<string, string> = key === null || key === '' ? {} : { authorization: `Bearer ${key}` }
  const response = await host.fetch(url, { headers, signal: AbortSignal.timeout(RECORD_TIMEOUT_MS) })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`the record can't be had: ${response.status} ${text.slice(0, 300)}`)
  return JSON.parse(text) as ReplayRecord // a router's own answer
}

interface NewAnswer {
  readonly status: number
  readonly model: string | null
  /** As JSON, put together where it was streamed. */
  readonly body: string
  readonly isCut: boolean
}

async function sendAgain(host: Host, record: ReplayRecord, to: string, key: string | null): Promise<NewAnswer> {
  const request = resendable(record)
  if ('refusal' in request) throw new Error(`this request can't be sent again: ${request.refusal}`)
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (key !== null && key !== '') headers['authorization'] = `Bearer ${key}`
  const response = await host.fetch(to + request.path, {
    method: 'POST',
    headers,
    body: request.body,
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  })
  const answer = { status: response.status, model: response.headers.get('x-vllm-router-model') }
  if (mediaTypeOf(response.headers.get('content-type')) !== 'text/event-stream') {
    return { ...answer, body: await response.text(), isCut: false }
  }
  const capture = new StreamCapture(STREAM_KINDS[request.path] ?? 'other', MAX_ANSWER_BYTES)
  capture.push(new Uint8Array(await response.arrayBuffer()))
  const { text, isTruncated } = capture.captured()
  return { ...answer, body: text, isCut: isTruncated }
}

export function compare(record: ReplayRecord, { status, model, body, isCut }: NewAnswer): readonly Compared[] {
  const before = String(record.response_status)
  return [
    { what: 'status', before, now: String(status), isSame: record.response_status === status },
    compareModels(record.selected_model ?? null, model),
    compareTexts(record, isCut ? null : answerText(body)),
  ]
}

function compareModels(before: string | null, now: string | null): Compared {
  if (now === null) return { what: 'model', before, now, isSame: null, why: 'the router does not say which it was' }
  return { what: 'model', before, now, isSame: before === now }
}

function compareTexts(record: ReplayRecord, now: string | null): Compared {
  const { response_body: body, response_body_truncated: isTruncated } = record
  const untold = (why: string): Compared => ({ what: 'text', before: null, now, isSame: null, why })
  if (body === undefined) return untold('the record has no answer: `capture_response_body` was off')
  if (isTruncated) return untold('the answer in the record was cut at `max_body_bytes`')
  const before = answerText(body)
  if (before === null || now === null) return untold('the answer is no text')
  return { what: 'text', before, now, isSame: before === now }
}

function toLines(compared: readonly Compared[]): string {
  return compared.map((one) => `${one.what.padEnd(7)} ${toLine(one)}\n`).join('')
}

function toLine({ what, before, now, isSame, why = '' }: Compared): string {
  if (isSame === null) return `not compared: ${why}`
  if (what !== 'text') return isSame ? `the same: ${now}` : `different: ${before} then, ${now} now`
  if (isSame) return `the same, ${now?.length ?? 0} characters`
  return `different from character ${firstDifference(before ?? '', now ?? '') + 1} on`
}

function firstDifference(one: string, other: string): number {
  let at = 0
  while (at < one.length && one[at] === other[at]) at += 1
  return at
}
