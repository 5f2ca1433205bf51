// What an answer says, whichever API it came by: for comparing two answers whose ids and times always differ.

import { fieldOf } from '../dialect/json-peek.ts'

/** Texts, tool calls and refusals of an answer, in order; null for one that is no JSON or says nothing of the kind. */
export function answerText(body: string): string | null {
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch {
    // Cut off, or no JSON at all: what it says can't be told from its numbers and ids.
    return null
  }
  const texts = [
    ...listOf(answer, 'choices').flatMap(textsOfChoice),
    ...listOf(answer, 'content').flatMap(textsOfBlock),
    ...listOf(answer, 'output').flatMap((item) => [
      ...listOf(item, 'content').flatMap(textsOfBlock),
      ...textsOfBlock(item),
    ]),
    ...textsAt(answer, ['text', 'output_text']),
    ...textsAt(fieldOf(answer, 'error'), ['message']),
  ]
  return texts.length === 0 ? null : texts.join('\n')
}

function textsOfChoice(choice: unknown): string[] {
  const message = fieldOf(choice, 'message')
  const calls = listOf(message, 'tool_calls').map((call) => JSON.stringify(fieldOf(call, 'function')))
  return [...textsAt(choice, ['text']), ...textsAt(message, ['content', 'reasoning_content', 'refusal']), ...calls]
}

function textsOfBlock(block: unknown): string[] {
  const input = fieldOf(block, 'input')
  const texts = textsAt(block, ['text', 'thinking', 'name', 'arguments'])
  return input === undefined ? texts : [...texts, JSON.stringify(input)]
}

function textsAt(value: unknown, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const text = fieldOf(value, name)
    return typeof text === 'string' ? [text] : []
  })
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const list = fieldOf(value, name)
  return Array.isArray(list) ? list : []
}
