// Sends a slice of a trace to a router as clients would, in real time, and times the answers.

import { textOf } from './prompts.ts'
import type { TraceRequest } from './trace.ts'

export interface TimedAnswer {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly firstTokenMs: number
}

/** Null for an answer that failed or broke off. Requests go out when they are due, whatever became of those before. */
export async function sendAll(
  url: string,
  requests: readonly TraceRequest[],
  arrivals: readonly number[],
): Promise<readonly (TimedAnswer | null)[]> {
  const beganMs = performance.now()
  const answers: Promise<TimedAnswer | null>[] = []
  for (const [at, request] of requests.entries()) {
    const body = JSON.stringify({
      messages: [{ role: 'user', content: textOf(request) }],
      max_tokens: request.outputTokens,
      stream: true,
      stream_options: { include_usage: true },
    })
    const waitMs = beganMs + (arrivals[at] ?? 0) - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    answers.push(sendOne(`${url}/v1/chat/completions`, body))
  }
  return Promise.all(answers)
}

async function sendOne(url: string, body: string): Promise<TimedAnswer | null> {
  const sentMs = performance.now()
  try {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    return response.ok && response.body !== null ? await readAnswer(response.body, sentMs) : null
  } catch {
    // Counted as failed; the page says how many were.
    return null
  }
}

interface Chunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[]
  readonly usage?: {
    readonly prompt_tokens?: number
    readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null
  } | null
}

async function readAnswer(body: ReadableStream<Uint8Array>, sentMs: number): Promise<TimedAnswer | null> {
  let firstTokenMs: number | null = null
  let usage: Chunk['usage'] = null
  for await (const event of eventsOf(body)) {
    if (event === '[DONE]') break
    // Our own simulated workers wrote it.
    const chunk: Chunk = JSON.parse(event)
    if ((chunk.choices?.[0]?.delta?.content ?? '') !== '') firstTokenMs ??= performance.now() - sentMs
    usage = chunk.usage ?? usage
  }
  if (firstTokenMs === null || usage?.prompt_tokens === undefined) return null
  const cachedTokens = usage.prompt_tokens_details?.cached_tokens ?? 0
  return { promptTokens: usage.prompt_tokens, cachedTokens, firstTokenMs }
}

async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('data: ')) yield line.slice('data: '.length).trim()
  }
}
