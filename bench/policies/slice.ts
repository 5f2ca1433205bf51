// A part of a trace that is small enough for real time and still has much to find: whole conversations, the longest first.

import type { TraceRequest } from './trace.ts'

export interface SliceOptions {
  readonly requests: number
  /** Longer prompts are left out. */
  readonly maxPromptTokens: number
  /** Every answer gets this length: what is streamed costs this machine, not the model. */
  readonly outputTokens: number
}

/** In the order of the trace. Stamps keep their order, not their distance: the caller sets the rate. */
export function sliceOf(requests: readonly TraceRequest[], options: SliceOptions): readonly TraceRequest[] {
  const conversations = new Map<string, number[]>()
  for (const [at, { blocks, promptTokens }] of requests.entries()) {
    if (promptTokens > options.maxPromptTokens || blocks.length < 3) continue
    const key = blocks.slice(0, 3).join()
    const members = conversations.get(key)
    if (members === undefined) conversations.set(key, [at])
    else members.push(at)
  }
  const longestFirst = [...conversations.values()].toSorted((one, other) => other.length - one.length)
  const chosen = longestFirst
    .flat()
    .slice(0, options.requests)
    .toSorted((one, other) => one - other)
  return chosen.flatMap((at, place) => {
    const request = requests[at]
    return request === undefined ? [] : [{ ...request, stampMs: place * 1_000, outputTokens: options.outputTokens }]
  })
}
