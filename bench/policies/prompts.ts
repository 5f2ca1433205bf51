// Turns a trace's blocks into prompts: the same id always gives the same 512 words, so that caches really hit. A word is
// one token of the simulated tokenizer, which makes lengths exact.

import { createRandom, mix } from '../../src/simulator/random.ts'
import { encodeText, SPECIAL_TOKENS } from '../../src/simulator/tokenizer.ts'
import { TRACE_BLOCK_TOKENS, type TraceRequest } from './trace.ts'

/** Words are a space and three letters: four bytes, one token. */
const LETTERS = 26
const WORDS = LETTERS ** 3
const SPACE = 0x20
const FIRST_LETTER = 0x61

/** What the chat template puts before a conversation's only message. */
const BEFORE = [SPECIAL_TOKENS.begin, SPECIAL_TOKENS.user]
const AFTER = [SPECIAL_TOKENS.end, SPECIAL_TOKENS.assistant]

/** The bytes of every word, in the order of memory. */
const BYTES_OF_WORD = Uint32Array.from({ length: WORDS }, (_, word) => {
  const letters = [Math.floor(word / LETTERS ** 2), Math.floor(word / LETTERS) % LETTERS, word % LETTERS]
  const [first = 0, second = 0, third = 0] = letters.map((letter) => FIRST_LETTER + letter)
  return (third << 24) | (second << 16) | (first << 8) | SPACE
})

/** The prompt as the only message of a conversation. */
export function textOf(request: TraceRequest): string {
  const words = new Uint32Array(request.promptTokens)
  eachWord(request, (word, at) => (words[at] = BYTES_OF_WORD[word] ?? 0))
  return new TextDecoder('latin1').decode(words)
}

/** Token ids of that conversation, as the worker's chat template gives them. */
export function tokensOf(request: TraceRequest): number[] {
  return [...BEFORE, ...encodeText(textOf(request)), ...AFTER]
}

function eachWord({ blocks, promptTokens }: TraceRequest, visit: (word: number, at: number) => void): void {
  for (const [place, block] of blocks.entries()) {
    const random = createRandom(mix(block, 0xb10c))
    const start = place * TRACE_BLOCK_TOKENS
    const end = Math.min(start + TRACE_BLOCK_TOKENS, promptTokens)
    for (let at = start; at < end; at += 1) visit(Math.floor(random() * WORDS), at)
  }
}
