// `conversation`: the shape of a conversation: who has spoken how often, what tools there are and were called.

import { type Bounds, boundsInWords, isWithin } from './predicate.ts'
import type { EdgeSignal, MessageView, RequestView } from './signal.ts'

export const CONVERSATION_SOURCES = [
  'message',
  'tool_definition',
  'assistant_tool_call',
  'assistant_tool_cycle',
  'active_tool_loop',
  'image_content',
] as const

export type ConversationSource = (typeof CONVERSATION_SOURCES)[number]

/** In the words of explanations. */
const COUNTED: Readonly<Record<ConversationSource, string>> = {
  message: 'messages',
  tool_definition: 'tool definitions',
  assistant_tool_call: 'tool calls',
  assistant_tool_cycle: 'tool results',
  active_tool_loop: 'open tool loops',
  image_content: 'images',
}

export const MESSAGE_ROLES = ['user', 'assistant', 'system', 'developer', 'tool', 'non_user'] as const

export interface ConversationRule {
  readonly name: string
  readonly type: 'count' | 'exists'
  readonly source: ConversationSource
  /** Of `message`; null for every role. */
  readonly role: (typeof MESSAGE_ROLES)[number] | null
  /** Of `count`. */
  readonly bounds: Bounds
}

export function conversationSignal(rule: ConversationRule): EdgeSignal {
  const { name, type, source, role, bounds } = rule
  const what = source === 'message' && role !== null ? `${role} messages` : COUNTED[source]
  return {
    family: 'conversation',
    name,
    read(request) {
      const count = countOf(rule, request)
      const isMatched = type === 'exists' ? count > 0 : isWithin(count, bounds)
      const because = type === 'exists' ? `${count} ${what}` : `${count} ${what}, wanted ${boundsInWords(bounds)}`
      return isMatched ? { kind: 'matched', confidence: 1, because } : { kind: 'not_matched', because }
    },
  }
}

function countOf({ source, role }: ConversationRule, request: RequestView): number {
  const { messages, toolDefinitions } = request
  const sum = (of: (message: MessageView) => number) => messages.reduce((total, message) => total + of(message), 0)
  switch (source) {
    case 'message':
      return messages.filter((message) => isOf(role, message)).length
    case 'tool_definition':
      return toolDefinitions
    case 'assistant_tool_call':
      return sum(({ toolCalls }) => toolCalls)
    case 'assistant_tool_cycle':
      return sum(({ toolResults }) => toolResults)
    case 'image_content':
      return sum(({ images }) => images)
    case 'active_tool_loop':
      return isInToolLoop(messages) ? 1 : 0
  }
}

function isOf(role: ConversationRule['role'], message: MessageView): boolean {
  if (role === null) return true
  return role === 'non_user' ? message.role !== 'user' : message.role === role
}

/** The tool has answered and the assistant has yet to go on, or has called more than was answered. */
function isInToolLoop(messages: readonly MessageView[]): boolean {
  const last = messages.at(-1)
  if (last === undefined) return false
  if (last.toolResults > 0) return true
  const counted = { calls: 0, results: 0 }
  for (const { toolCalls, toolResults } of messages) {
    counted.calls += toolCalls
    counted.results += toolResults
  }
  return counted.calls > counted.results
}
