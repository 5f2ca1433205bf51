// How the answer ended, and what it cost.

import type { Explainer, ExplainedRecord } from '../subject.ts'
import { amount, counted, milliseconds } from '../words.ts'

const ENDS: Readonly<Record<string, string>> = {
  truncated: 'The stream of the worker ended without its terminator, and the client was told so.',
  client_aborted: 'The client left before the end of the answer.',
  upstream_error: 'The worker reported an error within its stream.',
  timeout: 'The worker stopped delivering, and was given up.',
}

export const answer: Explainer = ({ record }) => [...firstByte(record), ...end(record), ...tokens(record)]

function firstByte({ ttft_ms: ttftMs }: ExplainedRecord): readonly string[] {
  return ttftMs === undefined ? [] : [`The first byte came ${milliseconds(ttftMs)} after the request.`]
}

function end({ stream_end: word }: ExplainedRecord): readonly string[] {
  const words = word === undefined ? undefined : ENDS[word]
  return words === undefined ? [] : [words]
}

function tokens({ usage, cached_tokens: cached }: ExplainedRecord): readonly string[] {
  if (usage === undefined) return []
  const { prompt_tokens: prompt, completion_tokens: completion } = usage
  if (prompt === undefined) return []
  const hit = cached?.actual === undefined ? '' : `, ${amount(cached.actual)} of them from its cache,`
  const written = completion === undefined ? '' : ` and wrote ${amount(completion)}`
  return [`The worker read ${counted(prompt, 'token')}${hit}${written}.`]
}
