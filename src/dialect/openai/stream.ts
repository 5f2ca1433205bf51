// Streams of /v1/chat/completions and /v1/completions, and of audio routes: how they end, fail and count tokens.
// vLLM's shapes, and OpenAI's where they differ (usage:null on each chunk, more than one choice in a chunk).

import { ERROR_CODES } from '../../errors/codes.ts'
import { isText, matchesAt } from '../ascii.ts'
import { copyLastObject, fieldOf, firstValueStart, lastValueStart, parseJson, stringAt } from '../json-peek.ts'
import type { SseEvent } from '../sse.ts'
import type { StreamDialect, StreamFacts, StreamFailure } from '../stream-dialect.ts'
import { toTokenUsage, type TokenUsage } from '../usage.ts'

const DONE = '[DONE]'
const LETTER_N = 0x6e
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** Chat and text completions: `[DONE]` counts only after a choice has said why it ended. */
export const completionStream: StreamDialect = {
  // Of tool calls the name comes first.
  tokenKeys: ['content', 'text', 'reasoning_content', 'reasoning', 'refusal', 'name', 'arguments'],
  inspect: inspectCompletion,
  errorFrame: openaiErrorFrame,
  usage: lastUsage,
}

/** The same for a caller that did not ask for usage: the chunk that holds nothing else is counted and left out. */
export const completionStreamWithoutUsage: StreamDialect = {
  ...completionStream,
  inspect(facts, event) {
    const verdict = inspectCompletion(facts, event)
    return verdict === 'pass' && isUsageChunk(event) ? 'drop' : verdict
  },
}

/** Streamed transcriptions, translations and speech, whose events carry no reason for their end. */
export const audioStream: StreamDialect = {
  tokenKeys: ['content', 'delta', 'audio'],
  inspect: inspectAudio,
  errorFrame: openaiErrorFrame,
  usage: lastUsage,
}

/** The counts of the last usage object a stream sent. */
export function lastUsage(facts: StreamFacts): TokenUsage | null {
  return facts.usage === null ? null : toTokenUsage(parseJson(facts.usage))
}

/** Whether an event is an error as the `openai` client sees it: a truthy `error` at the top level. */
export function isErrorEvent(data: Uint8Array): boolean {
  const value = lastValueStart(data, 'error')
  if (value < 0 || data[value] === LETTER_N) return false
  return Boolean(fieldOf(parseJson(data), 'error'))
}

function inspectCompletion(facts: StreamFacts, event: SseEvent): 'pass' | 'report_before' {
  const { data, part } = event
  if (part === 'head') return 'pass'
  if (isText(data, DONE)) {
    if (facts.terminatorSeen) return 'pass'
    facts.terminatorSeen = true
    return facts.finishSeen || facts.errorSeen ? 'pass' : 'report_before'
  }
  const reason = lastValueStart(data, 'finish_reason')
  const isMiddle = reason >= 0 && data[reason] === LETTER_N
  if (reason >= 0 && !isMiddle) facts.finishSeen = true
  // Nearly every event leaves here: its last choice goes on, and it ends neither with a usage object nor as an error.
  if (isMiddle && !endsWithTwoBraces(data) && !startsWithError(data)) return 'pass'
  rememberUsage(facts, data)
  facts.errorSeen ||= isErrorEvent(data)
  return 'pass'
}

function isUsageChunk({ data, part }: SseEvent): boolean {
  if (part !== 'whole') return false
  // Nearly every chunk shows that it is none by its bytes; one that may be it is parsed to be sure.
  if (data[lastValueStart(data, 'usage')] !== OPEN_BRACE) return false
  const chunk = parseJson(data)
  const choices = fieldOf(chunk, 'choices')
  return Array.isArray(choices) && choices.length === 0 && toTokenUsage(fieldOf(chunk, 'usage')) !== null
}

function inspectAudio(facts: StreamFacts, { data, part }: SseEvent): 'pass' {
  if (part === 'head') return 'pass'
  if (isText(data, DONE)) {
    facts.terminatorSeen = true
    return 'pass'
  }
  const type = stringAt(data, firstValueStart(data, 'type'))
  if (type === 'transcript.text.done' || type === 'speech.audio.done') facts.terminatorSeen = true
  rememberUsage(facts, data)
  facts.errorSeen ||= isErrorEvent(data)
  return 'pass'
}

function rememberUsage(facts: StreamFacts, data: Uint8Array): void {
  facts.usage = copyLastObject(data, 'usage') ?? facts.usage
}

function startsWithError(data: Uint8Array): boolean {
  return matchesAt(data, 0, '{"error"')
}

function endsWithTwoBraces(data: Uint8Array): boolean {
  return data[data.length - 1] === CLOSE_BRACE && data[data.length - 2] === CLOSE_BRACE
}

function openaiErrorFrame({ message, code }: StreamFailure): string {
  // No [DONE] after it: clients stop reading there, and it would say that all went well.
  return `data: ${JSON.stringify({ error: { message, type: ERROR_CODES[code].type, param: null, code } })}\n\n`
}
