// Deterministic embeddings: the sum of one random direction per word, at length one. So texts that share words are near
// each other, which is all that a semantic cache or a reranker needs to be tried out.

import { createRandom, gaussian, hashText } from './random.ts'
import { decodeTokens, isSpecialToken } from './tokenizer.ts'

/** A unit vector for a text. Depends on the model, not on the worker: replicas of a model agree. */
export function embedText(text: string, model: string, size: number): number[] {
  const vector = Array.from({ length: size }, () => 0)
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  for (const word of words.length === 0 ? [text] : words) {
    const random = createRandom(hashText(word, hashText(model)))
    for (let index = 0; index < size; index++) vector[index] = (vector[index] ?? 0) + gaussian(random)
  }
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}

/** The same for token ids. */
export function embedTokens(tokens: readonly number[], model: string, size: number): number[] {
  const words = tokens.filter((token) => !isSpecialToken(token))
  return embedText(decodeTokens(words) ?? '', model, size)
}

/** Cosine of two unit vectors. */
export function similarity(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0)
}
