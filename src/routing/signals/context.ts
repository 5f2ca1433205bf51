// `context`: how long a request is, in tokens as a rule of thumb has them: four bytes of text each. The same request is
// always as long, whatever came before it.

import type { EdgeSignal } from './signal.ts'

const BYTES_PER_TOKEN = 4

export interface ContextRule {
  readonly name: string
  readonly minTokens: number
  /** Null for no end. */
  readonly maxTokens: number | null
}

/** Both bounds are in. */
export function contextSignal({ name, minTokens, maxTokens }: ContextRule): EdgeSignal {
  return {
    family: 'context',
    name,
    read({ textBytes }) {
      const tokens = Math.ceil(textBytes / BYTES_PER_TOKEN)
      const isMatched = tokens >= minTokens && (maxTokens === null || tokens <= maxTokens)
      const because = `about ${tokens} tokens, wanted ${maxTokens === null ? `at least ${minTokens}` : `${minTokens} to ${maxTokens}`}`
      return isMatched ? { kind: 'matched', confidence: 1, because } : { kind: 'not_matched', because }
    },
  }
}
