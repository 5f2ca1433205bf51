// Forms that no honest client sends: each is refused before it streams.

import { describe, expect, test } from 'vitest'
import { joinBytes } from '../../test/conformance/dialect.ts'
import { END, LIMITS, MODEL, part, read, refusal, sourceOf, TYPE, utf8 } from '../../test/support/multipart-forms.ts'
import { readBoundary, readMultipartModel } from './multipart.ts'

/** What follows is another field to some parsers and text to others, or the end of the form. */
const prompt = (value: string) => part('name="prompt"', value)
const FORBIDDEN = part('name="model"', 'forbidden')

/**
 * Forms of which Starlette's parser, or an older one, reads other fields than one that follows RFC 7578 less closely: as
 * tried with starlette 1.x and python-multipart 0.0.34.
 */
const SEEN_IN_TWO_WAYS: readonly (readonly [string, string])[] = [
  ['an end after a line feed alone', `${MODEL}${prompt('x\n--b--\n')}${FORBIDDEN}${END}`],
  ['an end where a text begins', `${MODEL}${prompt('--b--\r\n')}${FORBIDDEN}${END}`],
  ['an end with more behind it', `${prompt('x\r\n--b--junk')}${MODEL}${END}`],
  ['an end with one dash', `${prompt('x\r\n--b-')}${MODEL}${END}`],
  [
    'an end after a carriage return and a line feed of its own',
    `${MODEL}${prompt('x\r\n\n--b--\n')}${FORBIDDEN}${END}`,
  ],
  ['a delimiter after a line feed alone', `${prompt('x\n--b\r\nContent-Disposition: form-data')}${MODEL}${END}`],
  ['a delimiter that a line feed alone ends', part('name="model"', 'whisper-1', '\n') + '--b--\n'],
  ['a padded delimiter', MODEL.replace('--b', '--b \t ') + END],
  ['a padded end', `${MODEL}--b--  \r\n`],
  ['a delimiter among headers', `--b\r\n${MODEL}${END}`],
  ['a form before the form', `${FORBIDDEN.replaceAll('--b', '--c')}--c--\r\n${MODEL}${END}`],
  ['a preamble', `This is MIME.\r\n\r\n${MODEL}${END}`],
  ['a name in parts', MODEL + part('name*0="mo"; name*1="del"', 'forbidden') + END],
  ['an encoded name', MODEL + part("name*=utf-8''model", 'forbidden') + END],
  ['a name with an escape', part('name="mo\\del"', 'x') + END],
  ['a file name in parts', part('name="model"; filename*0="a"', 'x') + END],
]

describe('refusals', () => {
  test.each([
    '',
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary=""',
    `multipart/form-data; boundary=${'b'.repeat(71)}`,
    'multipart/form-data; boundary="a\nb"',
    'multipart/form-data; boundary="é"',
    'multipart/form-data; boundary="b "',
    'multipart/form-data; boundary=b; boundary=c',
    'multipart/form-data; boundary=c; boundary=b',
    "multipart/form-data; boundary=b; boundary*=utf-8''c",
    'multipart/form-data; boundary*0=b',
    'multipart/form-data; boundary="\\b"',
    'multipart/form-data; boundary=b"',
  ])('Content-Type %j', async (type) => {
    const source = sourceOf([utf8(MODEL + END)])
    expect((await refusal(() => readMultipartModel(source.stream, type, LIMITS))).code).toBe('invalid_multipart')
  })

  test.each(['utf-7', 'utf-16', 'cp037', '"iso-8859-1"'])('charset %s', async (charset) => {
    const form = MODEL + part('name="+AG0AbwBkAGUAbA-"', 'forbidden') + END
    const error = await refusal(() => read(form, LIMITS, `multipart/form-data; boundary=b; charset=${charset}`))
    expect(error.code).toBe('unsupported_media_type')
  })

  test('the boundary itself is read as RFC 2046 says', () => {
    expect(readBoundary('multipart/form-data; boundary=----WebKitFormBoundary7MA4')).toBe('----WebKitFormBoundary7MA4')
    expect(readBoundary('multipart/form-data;boundary="a b";x=y')).toBe('a b')
  })

  test.each<readonly [string, string]>([
    ['empty', ''],
    ['JSON', '{"model":"whisper-1"}'],
    ['another boundary', MODEL.replace('--b', '--c') + '--c--'],
    ['no delimiter in the first MiB', 'x\n'.repeat(1024 * 1024)],
    ['1,001 parts', part('name="a"', '1').repeat(1001) + MODEL + END],
    ['a header line that never ends', `--b\r\nContent-Disposition: form-data; name="${'x'.repeat(10_000)}"\r\n\r\n`],
    ['a folded header', '--b\r\nContent-Disposition: form-data;\r\n name="model"\r\n\r\nx\r\n' + END],
    [
      'two dispositions',
      '--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n' +
        END,
    ],
    ['two names in a part', part('name="a"; name="model"', 'x') + END],
    ['two models in one chunk', MODEL + MODEL + END],
    ...SEEN_IN_TWO_WAYS,
    ['a model and a file of that name', MODEL + part('name="model"; filename="x"', 'y') + END],
  ])('%s', async (_, form) => {
    const source = sourceOf([utf8(form)])
    expect((await refusal(() => readMultipartModel(source.stream, TYPE, LIMITS))).code).toBe('invalid_multipart')
  })

  test.each([
    ['empty', ''],
    ['too long', 'm'.repeat(257)],
    ['a megabyte', 'm'.repeat(1_000_000)],
    ['with a line break', 'a\nb'],
    ['with a control character', 'a\0'],
  ])('a model that is %s', async (_, model) => {
    expect(await refusal(() => read(part('name="model"', model) + END))).toMatchObject({
      code: 'invalid_request',
      param: 'model',
    })
  })

  test('a model that is no UTF-8', async () => {
    const form = joinBytes([
      utf8('--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n'),
      Uint8Array.of(0xff),
      utf8('\r\n--b--'),
    ])
    expect((await refusal(() => read(form))).param).toBe('model')
  })

  test('cancels the source with the reason', async () => {
    const source = sourceOf([utf8('nothing\r\n'), utf8('x'.repeat(2_000_000))])
    const error = await refusal(() => readMultipartModel(source.stream, TYPE, LIMITS))
    expect(source.cancelled).toBe(error)
  })
})
