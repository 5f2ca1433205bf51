// The words of a prompt, whatever the API: its first ones tell one conversation from another when no header or field does.
// Read for the few shapes that carry text; anything else is skipped, never an error.

/** Fields that carry a prompt, as models see them: chat, completions, responses, embeddings, rerank, score. */
const PROMPT_FIELDS: readonly string[] = [
  'system', // Anthropic
  'instructions', // Responses API
  'messages',
  'prompt',
  'input',
  'query',
  'queries',
  'text_1',
  'data_1',
]

/** Fields of a message, an item or a content part that carry its text. */
const TEXT_FIELDS: readonly string[] = ['content', 'text', 'output']

/** Message, content list, part, nested content of a tool result: nothing real goes deeper. */
const MAX_DEPTH = 5

interface Beginning {
  text: string
  /** Whether there is anything but roles. */
  hasWords: boolean
  readonly limit: number
  readonly stopsAtUser: boolean
}

/**
 * The prompt's first `limit` UTF-16 units, roles included; null when the body has no text. A conversation counts up to
 * its first user message, so that its key stays the same as it grows.
 */
export function promptBeginning(body: Readonly<Record<string, unknown>>, limit: number): string | null {
  return readPrompt(body, { text: '', hasWords: false, limit, stopsAtUser: true })
}

/** The same of the whole conversation. */
export function promptText(body: Readonly<Record<string, unknown>>, limit: number): string | null {
  return readPrompt(body, { text: '', hasWords: false, limit, stopsAtUser: false })
}

function readPrompt(body: Readonly<Record<string, unknown>>, beginning: Beginning): string | null {
  for (const name of PROMPT_FIELDS) {
    if (Object.hasOwn(body, name)) addValue(beginning, body[name], 0)
  }
  return beginning.hasWords ? beginning.text : null
}

function addValue(beginning: Beginning, value: unknown, depth: number): void {
  if (typeof value === 'string') addWords(beginning, value)
  else if (typeof value === 'number') addWords(beginning, String(value)) // token ids
  else if (depth >= MAX_DEPTH || typeof value !== 'object' || value === null) return
  else if (Array.isArray(value)) addList(beginning, value, depth)
  else addObject(beginning, value, depth)
}

function addList(beginning: Beginning, list: readonly unknown[], depth: number): void {
  for (const item of list) {
    // An item without text still takes room, so that a long list of nothing ends too.
    add(beginning, '\n')
    addValue(beginning, item, depth + 1)
    if (isFull(beginning) || (beginning.stopsAtUser && roleOf(item) === 'user')) return
  }
}

function addObject(beginning: Beginning, value: object, depth: number): void {
  const role = roleOf(value)
  if (role !== null) add(beginning, `${role}:`)
  for (const name of TEXT_FIELDS) {
    if (!Object.hasOwn(value, name) || isFull(beginning)) continue
    addValue(beginning, (value as Readonly<Record<string, unknown>>)[name], depth + 1) // has it, checked above
  }
}

function roleOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'role')) return null
  const { role } = value as { readonly role: unknown } // has it, checked above
  return typeof role === 'string' ? role : null
}

function addWords(beginning: Beginning, words: string): void {
  if (words === '') return
  beginning.hasWords = true
  add(beginning, words)
}

function add(beginning: Beginning, text: string): void {
  beginning.text += text.slice(0, beginning.limit - beginning.text.length)
}

function isFull(beginning: Beginning): boolean {
  return beginning.text.length >= beginning.limit
}
