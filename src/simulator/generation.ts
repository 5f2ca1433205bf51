// What a model answers: made-up words that depend on the seed and the prompt alone, cut by the limits and stop strings
// of the request. Plans the whole answer before the engine takes the time to say it.

import { hashText, createRandom, mix } from './random.ts'
import { decodePieces, encodeText, SPECIAL_TOKENS } from './tokenizer.ts'

// Three letters and the space before make four bytes, so that a word is one token, and the answer read back as part of
// the next prompt gives the tokens that were generated.
const WORDS = (
  'ant arc ask bag bay bee big bit box bus cap car cat cow cup day den dog dot dry ear elm end eye far fig ' +
  'fin fog fox fun gap gem hat hen hid hot ice ink jar jet key kin kit lap law leg log low map mix mud net ' +
  'new nut oak odd oil old one our own pan pen pig pot ray red rib row run sap sea set sky sun tap tea ten ' +
  'tie top toy two urn van vet war way web wet win yak yes zoo'
).split(' ')

/** A tool call that an answer consists of. */
export interface PlannedToolCall {
  readonly id: string
  readonly name: string
}

/** One sequence to generate, fully known. */
export interface Generation {
  readonly prompt: readonly number[]
  readonly tokens: readonly number[]
  /** The text that each token adds. */
  readonly pieces: readonly string[]
  readonly finishReason: 'stop' | 'length'
  /** The stop string that ended it. */
  readonly stopReason: string | null
  readonly toolCall: PlannedToolCall | null
  readonly cacheKey: string
}

/** What a request asks of an answer. */
export interface GenerationRequest {
  readonly prompt: readonly number[]
  readonly model: string
  readonly cacheSalt: string | null
  /** Limit of the request; null when it sets none. */
  readonly maxTokens: number | null
  readonly minTokens: number
  readonly ignoreEos: boolean
  readonly stop: readonly string[]
  /** Which of several answers to the same prompt. */
  readonly choice: number
  readonly toolCall: (PlannedToolCall & { readonly argumentsJson: string }) | null
}

export interface GenerationSettings {
  readonly seed: number
  readonly outputTokens: number
  readonly maxModelLen: number
}

/** Plans the answer to a request. */
export function planGeneration(request: GenerationRequest, settings: GenerationSettings): Generation {
  const room = Math.max(0, settings.maxModelLen - request.prompt.length)
  const limit = Math.min(request.maxTokens ?? room, room)
  const full = request.toolCall === null ? answerTokens(request, settings, limit) : toolTokens(request.toolCall)
  const isCut = full.length > limit || (request.ignoreEos && request.toolCall === null)
  const tokens = full.slice(0, limit)
  const pieces = toPieces(tokens)
  const plan: Generation = {
    prompt: request.prompt,
    tokens,
    pieces,
    finishReason: isCut ? 'length' : 'stop',
    stopReason: null,
    toolCall: request.toolCall === null ? null : { id: request.toolCall.id, name: request.toolCall.name },
    cacheKey: cacheKeyOf(request.model, request.cacheSalt),
  }
  return request.stop.length === 0 ? plan : cutAtStop(plan, request.stop)
}

/** A sequence that is only read, not continued: embeddings, scores, classes. */
export function planReading(prompt: readonly number[], model: string): Generation {
  const cacheKey = cacheKeyOf(model, null)
  return { prompt, tokens: [], pieces: [], finishReason: 'stop', stopReason: null, toolCall: null, cacheKey }
}

/** The answer's text. */
export function textOf(generation: Generation): string {
  return generation.pieces.join('')
}

function cacheKeyOf(model: string, cacheSalt: string | null): string {
  return JSON.stringify([model, cacheSalt])
}

function answerTokens(request: GenerationRequest, settings: GenerationSettings, limit: number): number[] {
  let hash = hashText(request.model, settings.seed)
  for (const token of request.prompt) hash = mix(hash, token | 0)
  const random = createRandom(mix(hash, request.choice))
  // The end-of-text token counts as one of the answer, as it does in vLLM's usage.
  const wordCount = request.ignoreEos ? limit : Math.max(settings.outputTokens, request.minTokens + 1) - 1
  const tokens: number[] = []
  for (let index = 0; index < Math.min(wordCount, limit + 1); index++) {
    const word = WORDS[Math.floor(random() * WORDS.length)] ?? 'the'
    tokens.push(...encodeText(index === 0 ? word : ` ${word}`))
  }
  if (!request.ignoreEos) tokens.push(SPECIAL_TOKENS.end)
  return tokens
}

function toolTokens(toolCall: { readonly argumentsJson: string }): number[] {
  return [...encodeText(toolCall.argumentsJson), SPECIAL_TOKENS.end]
}

function toPieces(tokens: readonly number[]): string[] {
  const hasEnd = tokens.at(-1) === SPECIAL_TOKENS.end
  const pieces = decodePieces(hasEnd ? tokens.slice(0, -1) : tokens) ?? []
  return hasEnd ? [...pieces, ''] : pieces
}

/** Ends the answer before the first stop string; the token that completes the string is still generated. */
function cutAtStop(plan: Generation, stop: readonly string[]): Generation {
  const text = plan.pieces.join('')
  const found = stop
    .map((word) => ({ word, at: word === '' ? -1 : text.indexOf(word) }))
    .filter(({ at }) => at >= 0)
    .sort((left, right) => left.at + left.word.length - (right.at + right.word.length))[0]
  if (found === undefined) return plan
  const pieces: string[] = []
  let length = 0
  for (const piece of plan.pieces) {
    pieces.push(piece.slice(0, Math.max(0, found.at - length)))
    length += piece.length
    if (length >= found.at + found.word.length) break
  }
  return { ...plan, pieces, tokens: plan.tokens.slice(0, pieces.length), finishReason: 'stop', stopReason: found.word }
}
