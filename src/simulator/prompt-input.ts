// Every form in which a prompt comes in outside of chat: text or token ids, one or many.

import * as z from 'zod'
import { encodeText, SPECIAL_TOKENS } from './tokenizer.ts'

const tokenIds = z.array(z.int().min(0))
export const promptSchema = z.union([z.string(), tokenIds, z.array(z.string()), z.array(tokenIds)])
export type PromptInput = z.output<typeof promptSchema>

/** Token ids of each prompt. Text gets the begin token; ids are taken as they are. */
export function toPrompts(input: PromptInput): number[][] {
  if (typeof input === 'string') return [encodePrompt(input)]
  if (isTokenIds(input)) return input.length === 0 ? [] : [input]
  return input.map((one) => (typeof one === 'string' ? encodePrompt(one) : one))
}

/** A text as a prompt: with the begin token. */
export function encodePrompt(text: string): number[] {
  return [SPECIAL_TOKENS.begin, ...encodeText(text)]
}

function isTokenIds(input: Exclude<PromptInput, string>): input is number[] {
  return typeof input[0] === 'number' || input.length === 0
}
