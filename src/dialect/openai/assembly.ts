// Streams of /v1/chat/completions and /v1/completions, and of audio routes, as the answer they would have been in one piece.

import { type Assembly, Parts, type TextBudget, TextFields } from '../assembly.ts'
import { fieldOf } from '../json-peek.ts'

/** What each chunk repeats about the answer as a whole. */
const COMMON = ['id', 'created', 'model', 'system_fingerprint', 'service_tier'] as const

const WHOLE_OBJECTS: Readonly<Record<string, string>> = { 'chat.completion.chunk': 'chat.completion' }

interface ToolCall {
  id: unknown
  type: unknown
  readonly texts: TextFields
}

interface Choice {
  role: unknown
  readonly message: TextFields
  readonly text: TextFields
  readonly toolCalls: Parts<ToolCall>
  finishReason: unknown
  isChat: boolean
}

export function completionAssembly(): Assembly {
  const head: Record<string, unknown> = {}
  const tail: Record<string, unknown> = {}
  const choices = new Parts<Choice>(createChoice)
  let isEmpty = true
  return {
    add(event, budget) {
      isEmpty = false
      noteHead(head, event, budget)
      for (const name of ['usage', 'error']) {
        const value = fieldOf(event, name)
        if (value !== undefined && value !== null && budget.holds(value)) tail[name] = value
      }
      const listed = fieldOf(event, 'choices')
      if (!Array.isArray(listed)) return
      for (const chunk of listed as readonly unknown[]) {
        const choice = choices.at(fieldOf(chunk, 'index'), budget)
        if (choice !== null) addToChoice(choice, chunk, budget)
      }
    },
    result() {
      if (isEmpty) return null
      return { ...head, choices: choices.inOrder().map(([index, choice]) => toChoice(index, choice)), ...tail }
    },
  }
}

/** Streamed transcriptions, translations and speech: their text, and no sound. */
export function audioAssembly(): Assembly {
  const completion = completionAssembly()
  const texts = new TextFields()
  let isAudio = false
  return {
    add(event, budget) {
      const type = fieldOf(event, 'type')
      if (typeof type !== 'string' || !/^(?:transcript|speech)\./.test(type)) return completion.add(event, budget)
      isAudio = true
      if (type === 'transcript.text.delta') texts.append('text', fieldOf(event, 'delta'), budget)
    },
    result: () => (isAudio ? texts.toObject() : completion.result()),
  }
}

function createChoice(): Choice {
  return {
    role: undefined,
    message: new TextFields(),
    text: new TextFields(),
    toolCalls: new Parts<ToolCall>(() => ({ id: undefined, type: undefined, texts: new TextFields() })),
    finishReason: null,
    isChat: false,
  }
}

function noteHead(head: Record<string, unknown>, event: unknown, budget: TextBudget): void {
  const object = fieldOf(event, 'object')
  if (typeof object === 'string' && budget.holds(object)) head['object'] ??= WHOLE_OBJECTS[object] ?? object
  for (const name of COMMON) {
    const value = head[name] === undefined ? fieldOf(event, name) : null
    if (value !== undefined && value !== null && budget.holds(value)) head[name] = value
  }
}

function addToChoice(choice: Choice, chunk: unknown, budget: TextBudget): void {
  const reason = fieldOf(chunk, 'finish_reason') ?? choice.finishReason
  if (reason !== choice.finishReason) choice.finishReason = budget.takeValue(reason) ?? choice.finishReason
  choice.text.append('text', fieldOf(chunk, 'text'), budget)
  const delta = fieldOf(chunk, 'delta')
  if (typeof delta !== 'object' || delta === null) return
  choice.isChat = true
  for (const [name, value] of Object.entries(delta)) {
    if (name === 'role') choice.role ??= budget.takeValue(value)
    else if (name === 'tool_calls') addToolCalls(choice.toolCalls, value, budget)
    // Whatever a worker adds piece by piece: content, reasoning_content, refusal.
    else choice.message.append(name, value, budget)
  }
}

function addToolCalls(calls: Parts<ToolCall>, listed: unknown, budget: TextBudget): void {
  if (!Array.isArray(listed)) return
  for (const chunk of listed as readonly unknown[]) {
    const call = calls.at(fieldOf(chunk, 'index'), budget)
    if (call === null) return
    call.id ??= budget.takeValue(fieldOf(chunk, 'id'))
    call.type ??= budget.takeValue(fieldOf(chunk, 'type'))
    const named = fieldOf(chunk, 'function')
    call.texts.append('name', fieldOf(named, 'name'), budget)
    call.texts.append('arguments', fieldOf(named, 'arguments'), budget)
  }
}

function toChoice(index: number, { role, message, text, toolCalls, finishReason, isChat }: Choice): object {
  const ending = { finish_reason: finishReason }
  if (!isChat) return { index, ...text.toObject(), ...ending }
  const calls = toolCalls.inOrder().map(([, { id, type, texts }]) => ({ id, type, function: texts.toObject() }))
  const said = { role: role ?? 'assistant', content: null, ...message.toObject() }
  return { index, message: calls.length === 0 ? said : { ...said, tool_calls: calls }, ...ending }
}
