// An answer of /admin/explain as a command reads it. The router may be of another version than the command.

import * as z from 'zod'
import type { Explanation } from '../explain/explain.ts'
import { plain } from '../explain/words.ts'
import type { Explained } from './explain.ts'

const explanationSchema = z.looseObject({
  timestamp: z.string(),
  route: z.string(),
  sentences: z.array(z.string()),
  table: z.looseObject({ parts: z.array(z.string()), rows: z.array(z.looseObject({ worker: z.string() })) }).nullable(),
  attempts: z.array(z.looseObject({ worker: z.string() })),
})

const errorSchema = z.looseObject({ error: z.looseObject({ message: z.string(), code: z.string().nullish() }) })

export async function readExplanation(response: Response): Promise<Explained> {
  const value = parse(await response.text())
  if (response.ok && explanationSchema.safeParse(value).success) {
    // What it is made of has been looked at; what is missing of it is shown as empty.
    return { ok: true, explanation: value as Explanation }
  }
  const refused = errorSchema.safeParse(value)
  const why = refused.success ? refused.data.error.message : 'what answered is no router, or one of another version'
  const hint = response.status === 401 ? ' Give it with --admin-key, or in the variable ROUTER_ADMIN_KEY.' : ''
  // Whatever answered is not to be trusted with a terminal.
  return { ok: false, message: plain(`${response.status}: ${why}${hint}`) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // No JSON is no explanation, and no error of a router.
    return null
  }
}
