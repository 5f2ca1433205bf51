// Streams of /v1/messages as the message they would have been in one piece.

import { type Assembly, Parts, type TextBudget, TextFields } from '../assembly.ts'
import { fieldOf } from '../json-peek.ts'

interface Block {
  /** As the stream opened it. */
  opening: object
  readonly texts: TextFields
}

/** Which field of a block each kind of delta adds to. */
const DELTA_FIELDS: Readonly<Record<string, readonly [field: string, from: string]>> = {
  text_delta: ['text', 'text'],
  thinking_delta: ['thinking', 'thinking'],
  signature_delta: ['signature', 'signature'],
  input_json_delta: ['input', 'partial_json'],
}

export function messageAssembly(): Assembly {
  const blocks = new Parts<Block>(() => ({ opening: {}, texts: new TextFields() }))
  let message: Record<string, unknown> | null = null
  let error: unknown
  return {
    add(event, budget) {
      switch (fieldOf(event, 'type')) {
        case 'message_start':
          message = { ...held(fieldOf(event, 'message'), budget) }
          return
        case 'content_block_start':
          return openBlock(blocks.at(fieldOf(event, 'index'), budget), fieldOf(event, 'content_block'), budget)
        case 'content_block_delta':
          return addToBlock(blocks.at(fieldOf(event, 'index'), budget), fieldOf(event, 'delta'), budget)
        case 'message_delta':
          message = {
            ...message,
            ...held({ ...asObject(fieldOf(event, 'delta')), usage: usageOf(message, event) }, budget),
          }
          return
        case 'error':
          error = held(fieldOf(event, 'error'), budget)
          return
        default:
      }
    },
    result() {
      if (message === null && error === undefined) return null
      const content = blocks.inOrder().map(([, { opening, texts }]) => ({ ...opening, ...withInput(texts.toObject()) }))
      return { ...message, content, ...(error === undefined ? {} : { error }) }
    },
  }
}

function openBlock(block: Block | null, opening: unknown, budget: TextBudget): void {
  if (block !== null) block.opening = asObject(budget.takeValue(opening))
}

function addToBlock(block: Block | null, delta: unknown, budget: TextBudget): void {
  const type = fieldOf(delta, 'type')
  const known = typeof type === 'string' && Object.hasOwn(DELTA_FIELDS, type) ? DELTA_FIELDS[type] : undefined
  if (block !== null && known !== undefined) block.texts.append(known[0], fieldOf(delta, known[1]), budget)
}

/** A tool's input comes as pieces of JSON; one that was cut stays text. */
function withInput({ input, ...texts }: Record<string, string>): object {
  if (input === undefined) return texts
  try {
    return { ...texts, input: JSON.parse(input) as unknown }
  } catch {
    // Cut in the middle, or not the JSON it should be: shown as it came.
    return { ...texts, input }
  }
}

function usageOf(message: unknown, event: unknown): object {
  return { ...asObject(fieldOf(message, 'usage')), ...asObject(fieldOf(event, 'usage')) }
}

function held(value: unknown, budget: TextBudget): object {
  return budget.holds(value) ? asObject(value) : {}
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}
