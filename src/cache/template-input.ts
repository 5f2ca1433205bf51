// What of a request a chat template sees, and so what its token ids depend on: no more, or equal prompts would be told
// apart, and no less, or different ones would be taken for equal.

/** A prompt as it is put to a tokenizer. */
export interface TemplateInput {
  /** Whose request it is; null for all who have one key in common, or need none. Nobody is given what others left. */
  readonly tenant: string | null
  /** The model it was routed to: tokenizers and templates are of one model. */
  readonly model: string
  /** Of the body, what `templateFieldsOf` keeps, or something made of that: exactly what is sent to the tokenizer. */
  readonly fields: TemplateFields
}

export type TemplateFields = Readonly<Record<string, unknown>>

// Sampling fields are left out, and so are those of transport; `cache_salt` parts caches, not tokens.
const TEMPLATE_FIELDS: readonly string[] = [
  'prompt',
  'messages',
  'system', // Anthropic
  'instructions', // Responses API
  'input',
  'tools',
  'tool_choice',
  'documents',
  'response_format',
  'reasoning_effort',
  'chat_template',
  'chat_template_kwargs',
  'add_generation_prompt',
  'continue_final_message',
  'add_special_tokens',
  'mm_processor_kwargs',
  'truncate_prompt_tokens',
]

/** What a template sees of a body; a field that is null is the same as one that is not there. */
export function templateFieldsOf(body: Readonly<Record<string, unknown>>): TemplateFields {
  const seen: [string, unknown][] = []
  for (const name of TEMPLATE_FIELDS) {
    if (Object.hasOwn(body, name) && (body[name] ?? null) !== null) seen.push([name, body[name]])
  }
  return Object.fromEntries(seen)
}

/** SHA-256 over a text that no other prompt and no other tenant makes, 64 hexadecimal digits. */
export async function keyOf(prompt: TemplateInput): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(textOf(prompt)))
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * The JSON of everything that counts. It says as much as the body that a tokenizer is sent, as that is JSON of the same
 * values; inside a field keys keep their order, since templates print tools as they came.
 */
export function textOf({ tenant, model, fields }: TemplateInput): string {
  const entries = Object.entries(fields).sort(([one], [other]) => (one < other ? -1 : 1))
  return JSON.stringify([tenant, model, entries])
}
