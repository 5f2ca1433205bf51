// Whether what is a secret is marked as one, judged by names and by what fields take: the marks are all that redaction
// goes by.

import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type Field, fieldsOf, type Schema } from '../../test/support/schema-fields.ts'
import { configSchema } from './schema.ts'
import { holdsSecret } from './schema-walk.ts'

const fields = fieldsOf(configSchema).filter(({ schema }) => takesText(schema) || takesUrls(schema))

function takesText(schema: Schema): boolean {
  return ['x'.repeat(8), '0'.repeat(64)].some((text) => z.safeParse(schema, text).success)
}

function takesUrls(schema: Schema): boolean {
  return ['http', 'redis', 'postgres'].some((scheme) => z.safeParse(schema, `${scheme}://h.example/x`).success)
}

const unmarked = (found: readonly Field[]) => found.filter(({ schema }) => !holdsSecret(schema)).map(({ path }) => path)

describe('a field of text is marked as a secret', () => {
  test('when its name says that it is one', () => {
    const named = fields.filter(({ path }) =>
      /key|token|secret|passw|credential|auth/i.test(path.split('.').at(-1) ?? ''),
    )
    expect(named.length).toBeGreaterThan(5)
    // Beginnings of the names that values are kept under, addresses of services that check keys, and what signals look for:
    // words of prompts, names of metadata, numbers of tokens.
    const looksFor =
      'keywords\\[\\]\\.keywords\\[\\]|structure\\[\\]\\.feature\\.source\\.keywords\\[\\]|metadata\\[\\]\\.key|context\\[\\]\\.\\w+_tokens'
    const harmless = new RegExp(`(?:^|\\.)(?:key_prefix|api_key_validation_urls\\[\\]|signals\\.(?:${looksFor}))$`)
    expect(unmarked(named).filter((path) => !harmless.test(path))).toEqual([])
  })

  test('when it takes an address with a password, or a query that may hold a token', () => {
    const takes = (schema: Schema, text: string) => z.safeParse(schema, text).success
    const addressed = fields.filter(({ schema }) => {
      if (takes(schema, 'words')) return false
      const schemes = ['http', 'https', 'redis', 'rediss', 'postgres']
      return schemes.some((scheme) =>
        [`${scheme}://user:pw@h.example/x`, `${scheme}://h.example/x?token=t`].some((text) => takes(schema, text)),
      )
    })
    expect(unmarked(addressed)).toEqual([])
  })
})
