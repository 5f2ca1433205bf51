// One request at a simulated controller.

import type * as z from 'zod'
import type { Faults } from '../fault-schema.ts'
import { jsonResponse } from '../json-response.ts'
import type { ControllerContext } from './controller.ts'

export interface ControllerExchange {
  readonly controller: ControllerContext
  readonly method: string
  readonly url: URL
  /** The body. */
  readonly text: string
  readonly signal: AbortSignal
  readonly faults: Faults
}

/** The body in the shape of `schema`, handed to `answer`; FastAPI's 422 for any other. */
export function withBody<Body>(
  { text }: ControllerExchange,
  schema: z.ZodType<Body>,
  answer: (body: Body) => Response,
): Response {
  const parsed = schema.safeParse(parseJson(text))
  if (parsed.success) return answer(parsed.data)
  return unprocessable(
    parsed.error.issues.map(({ path, message }) => ({ loc: ['body', ...path.map(String)], msg: message })),
  )
}

export function unprocessable(
  problems: readonly { readonly loc: readonly string[]; readonly msg: string }[],
): Response {
  return jsonResponse({ detail: problems.map((problem) => ({ type: 'value_error', ...problem })) }, 422)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
