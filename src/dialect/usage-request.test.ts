import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJsonBody } from './json-body.ts'
import { asksForUsage, withUsageAsked } from './usage-request.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

function asked(text: string): string | null {
  const bytes = withUsageAsked(bytesOf(text))
  return bytes === null ? null : new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
}

describe('a body that asks for no usage is made to', () => {
  test.each([
    ['without options', '{"stream":true}', '{"stream_options":{"include_usage":true},"stream":true}'],
    ['with nothing in it', '{}', '{"stream_options":{"include_usage":true}}'],
    ['with null', '{"stream_options": null ,"n":1}', '{"stream_options": {"include_usage":true} ,"n":1}'],
    ['with no options in them', '{"stream_options":{ }}', '{"stream_options":{"include_usage":true }}'],
    ['with other options', '{"stream_options":{"x":[1]}}', '{"stream_options":{"include_usage":true,"x":[1]}}'],
    ['with a refusal', '{"stream_options":{"include_usage" : false}}', '{"stream_options":{"include_usage" : true}}'],
    ['with null for it', '{"stream_options":{"include_usage":null}}', '{"stream_options":{"include_usage":true}}'],
    [
      'with usage in every chunk, which no usage means none of',
      '{"stream_options":{"continuous_usage_stats":true,"include_usage":false}}',
      '{"stream_options":{"continuous_usage_stats":false,"include_usage":true}}',
    ],
    [
      'with options twice: parsers differ on which they take',
      '{"stream_options":{"include_usage":true},"stream_options":{}}',
      '{"stream_options":{"include_usage":true},"stream_options":{"include_usage":true}}',
    ],
    ['with a key in escapes', '{"stream\\u005foptions":null}', '{"stream\\u005foptions":{"include_usage":true}}'],
    ['behind a byte order mark', '\ufeff{"n":1}', '\ufeff{"stream_options":{"include_usage":true},"n":1}'],
    [
      'with options below the top',
      '{"a":{"stream_options":1}}',
      '{"stream_options":{"include_usage":true},"a":{"stream_options":1}}',
    ],
  ])('%s', (_, body, expected) => {
    expect(asked(body)).toBe(expected)
  })

  test('whatever else is in it, which stays as it was to the byte', () => {
    const others = fc.dictionary(
      fc.string().filter((key) => key !== 'stream_options'),
      fc.jsonValue(),
      { maxKeys: 5 },
    )
    fc.assert(
      fc.property(others, fc.constantFrom('', '  ', '\n\t'), (fields, space) => {
        const text = JSON.stringify(fields, null, space)
        const made = asked(text) ?? ''
        expect(parseJsonBody(bytesOf(made)).value).toEqual({
          ...parseJsonBody(bytesOf(text)).value,
          stream_options: { include_usage: true },
        })
        const added =
          Object.keys(fields).length === 0
            ? '"stream_options":{"include_usage":true}'
            : '"stream_options":{"include_usage":true},'
        expect(made.replace(added, '')).toBe(text)
      }),
    )
  })
})

test.each(['"yes"', '1', 'true', '[]'])('options that are %s can not be made to ask', (options) => {
  expect(asked(`{"stream_options":${options}}`)).toBeNull()
})

test.each([
  [{}, false],
  [{ stream_options: null }, false],
  [{ stream_options: { include_usage: false } }, false],
  [{ stream_options: { include_usage: 'true' } }, false],
  [{ stream_options: { include_usage: true } }, true],
])('%j asks for it: %s', (json, expected) => {
  expect(asksForUsage(json)).toBe(expected)
})
