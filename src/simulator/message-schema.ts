// A chat message, as loosely as vLLM takes it.

import * as z from 'zod'

export const messageSchema = z.looseObject({
  role: z.string(),
  content: z.unknown().optional(),
  tool_calls: z.unknown().optional(),
})
