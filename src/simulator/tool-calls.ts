// When a model answers with a tool call, and with which arguments: made up from the tool's own schema, so that a client
// that validates them is content.

import * as z from 'zod'
import { contentText } from './chat-template.ts'
import type { ChatMessage } from './chat-template.ts'
import type { Exchange } from './exchange.ts'

const toolSchema = z.looseObject({ name: z.string(), parameters: z.unknown().optional() })

/** A tool, whatever dialect described it. */
type ToolDescription = z.output<typeof toolSchema>

/** Reads OpenAI's nested form, the flat one of /v1/responses, and Anthropic's `input_schema`. */
function toToolDescriptions(tools: unknown): ToolDescription[] {
  if (!Array.isArray(tools)) return []
  return tools.flatMap((tool: unknown) => {
    const inner: unknown = isObject(tool) && isObject(tool['function']) ? tool['function'] : tool
    const parsed = toolSchema.safeParse(inner)
    if (!parsed.success) return []
    return [{ ...parsed.data, parameters: parsed.data.parameters ?? parsed.data['input_schema'] }]
  })
}

/** The call to answer with; null when the answer is text. */
export function planToolCall(
  exchange: Exchange,
  request: { tools: unknown; toolChoice: unknown; messages: readonly ChatMessage[] },
): { id: string; name: string; argumentsJson: string } | null {
  const tools = toToolDescriptions(request.tools)
  const tool = chooseTool(tools, request.toolChoice, request.messages)
  if (tool === null) return null
  const id = `chatcmpl-tool-${exchange.worker.newId().slice(0, 16)}`
  return { id, name: tool.name, argumentsJson: JSON.stringify(exampleOf(tool.parameters ?? {})) }
}

function chooseTool(
  tools: readonly ToolDescription[],
  choice: unknown,
  messages: readonly ChatMessage[],
): ToolDescription | null {
  const first = tools[0] ?? null
  if (choice === 'none') return null
  if (choice === 'required') return first
  if (isObject(choice)) {
    if (choice['type'] === 'any') return first
    const inner = isObject(choice['function']) ? choice['function'] : choice
    if (typeof inner['name'] === 'string') return tools.find((tool) => tool.name === inner['name']) ?? first
  }
  // A conversation that ends with a tool's result is answered in words, or it would never end.
  const last = messages.at(-1)
  return last?.role === 'user' && /\btools?\b/i.test(contentText(last.content)) ? first : null
}

/** A value that fits a JSON schema, as far as the simulator cares to read it. */
function exampleOf(schema: unknown): unknown {
  if (!isObject(schema)) return {}
  if (Array.isArray(schema['enum'])) return schema['enum'][0]
  switch (schema['type']) {
    case 'string':
      return 'sea'
    case 'integer':
    case 'number':
      return 7
    case 'boolean':
      return true
    case 'array':
      return [exampleOf(schema['items'] ?? { type: 'string' })]
    case 'null':
      return null
    default:
      return exampleObject(schema['properties'])
  }
}

function exampleObject(properties: unknown): object {
  if (!isObject(properties)) return {}
  return Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, exampleOf(property)]))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
