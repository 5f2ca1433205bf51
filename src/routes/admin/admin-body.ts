// Bodies that operators send: small, and of the type the route takes.

import type { Context } from 'hono'
import type * as z from 'zod'
import { quoted, RouterError } from '../../errors/router-error.ts'
import type { AppEnv } from '../../middleware/app-env.ts'
import { checkContentEncoding, readBody } from '../../middleware/read-body.ts'

/** As much as the loader of configurations reads. */
export const MAX_CONFIG_BYTES = 512 * 1024

const MAX_JSON_BYTES = 64 * 1024

const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i
const YAML_TYPE = /^(?:application|text)\/(?:x-)?yaml\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

/** A configuration as text: YAML, or JSON, which is YAML too once it is known to be JSON. */
export async function readConfigText(context: Context<AppEnv>): Promise<string> {
  const type = (context.req.header('content-type') ?? '').trim()
  const isJson = JSON_TYPE.test(type)
  if (!isJson && !YAML_TYPE.test(type)) {
    throw new RouterError(
      'unsupported_media_type',
      'Send the configuration as `application/yaml` or `application/json`.',
    )
  }
  const text = await readText(context, MAX_CONFIG_BYTES)
  if (isJson) parseJson(text)
  return text
}

/** A JSON object as `schema` has it; a request without a body is an empty one. */
export async function readAdminJson<Schema extends z.ZodType>(
  context: Context<AppEnv>,
  schema: Schema,
  maxBytes = MAX_JSON_BYTES,
): Promise<z.output<Schema>> {
  const result = schema.safeParse(await readJson(context, maxBytes))
  if (result.success) return result.data
  const [issue] = result.error.issues
  if (issue?.code === 'unrecognized_keys') {
    throw new RouterError('invalid_request', `There is no field ${quoted(issue.keys[0] ?? '')} here.`)
  }
  const field = issue?.path.join('.') ?? ''
  const place = field === '' ? 'The body' : `\`${field.slice(0, 64)}\``
  const message = `${place} can not be used: ${issue?.message ?? 'it is not as documented'}.`
  throw new RouterError('invalid_request', message, field === '' ? {} : { param: field.slice(0, 64) })
}

async function readJson(context: Context<AppEnv>, maxBytes: number): Promise<unknown> {
  const text = await readText(context, maxBytes)
  if (text === '') return {}
  if (!JSON_TYPE.test((context.req.header('content-type') ?? '').trim())) {
    throw new RouterError('unsupported_media_type', 'This route takes `Content-Type: application/json` in UTF-8.')
  }
  return parseJson(text)
}

async function readText(context: Context<AppEnv>, maxBytes: number): Promise<string> {
  checkContentEncoding(context.req.raw.headers)
  const bytes = await readBody(context.env.parts, context.req.raw, maxBytes)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch (cause) {
    throw new RouterError('invalid_request', 'The body is no UTF-8 text.', { cause })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new RouterError('invalid_json', 'The body is no JSON.', { cause })
  }
}
