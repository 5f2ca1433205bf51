// Forms as browsers and clients encode them, in any pieces: the model is found and no byte changes.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { splitBytes } from '../../test/conformance/dialect.ts'
import { drain, END, LIMITS, MODEL, part, read, sourceOf, TYPE, utf8 } from '../../test/support/multipart-forms.ts'
import { readMultipartModel } from './multipart.ts'

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .array(fc.constantFrom('\r\n', '\n', '\r', '--', '-', '--b', '\r\n--', 'name="model"', '\0'), { maxLength: 40 })
    .map((parts) => utf8(parts.join(''))),
)
const fieldName = fc.constantFrom('language', 'prompt', 'temperature', 'Model', 'model[]', 'naïve "name"\r\n', 'a;b')
const entry = fc.oneof(
  fc.record({ name: fieldName, value: fc.string({ unit: 'grapheme', maxLength: 50 }) }),
  fc.record({
    name: fc.constantFrom('file', 'mask'),
    file: bytes,
    filename: fc.constantFrom('a.wav', 'x"; name="model', 'naïve.mp3', 'a\r\nb'),
  }),
)

describe('any form in any pieces', () => {
  test('gives its model and the same bytes', async () => {
    const model = fc.option(fc.stringMatching(/^[\w./ :é漢-]{1,40}$/), { nil: null })
    const places = fc.array(fc.nat(), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 4 }),
        model,
        fc.nat(),
        places,
        async (entries, modelName, at, cuts) => {
          const form = new FormData()
          const modelAt = at % (entries.length + 1)
          entries.forEach((field, index) => {
            if (index === modelAt && modelName !== null) form.append('model', modelName)
            if ('file' in field) form.append(field.name, new File([Uint8Array.from(field.file)], field.filename))
            else form.append(field.name, field.value)
          })
          if (modelAt === entries.length && modelName !== null) form.append('model', modelName)
          const encoded = new Response(form)
          const type = encoded.headers.get('content-type') ?? ''
          const body = new Uint8Array(await encoded.arrayBuffer())
          const result = await readMultipartModel(sourceOf(splitBytes(body, cuts)).stream, type, LIMITS)
          expect(result.model).toBe(modelName)
          expect(await drain(result.bodyFor(null))).toEqual(body)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('cut in two at every byte, and byte by byte', async () => {
    const form = utf8(
      `${part('name="file"; filename="a.wav"', 'RIFF\r\n--bogus\r\n--')}${MODEL}${part('name="stream"', 'true')}${END}epilogue`,
    )
    for (let cut = 0; cut <= form.length; cut++) {
      const { model, bodyFor } = await readMultipartModel(sourceOf(splitBytes(form, [cut])).stream, TYPE, LIMITS)
      expect(model).toBe('whisper-1')
      expect(await drain(bodyFor(null))).toEqual(form)
    }
    const single = sourceOf(Array.from(form, (byte) => Uint8Array.of(byte)))
    const { model, bodyFor } = await readMultipartModel(single.stream, TYPE, LIMITS)
    expect(model).toBe('whisper-1')
    expect(await drain(bodyFor(null))).toEqual(form)
  })
})

describe('spellings', () => {
  test.each([
    ['quoted', 'multipart/form-data; boundary="b"', MODEL + END],
    [
      'quoted with odd characters',
      `multipart/form-data; boundary="a'b (c)=?"`,
      MODEL.replace('--b', `--a'b (c)=?`) + `--a'b (c)=?--`,
    ],
    ['in capitals, after another parameter', 'Multipart/Form-Data; charset=utf-8; Boundary=b', MODEL + END],
    ['without a last line break', TYPE, MODEL + '--b--'],
    ['unquoted name', TYPE, part('name=model', 'whisper-1') + END],
    [
      'name in capitals, space around',
      TYPE,
      MODEL.replace('Content-Disposition: form-data; name=', 'CONTENT-DISPOSITION:form-data ; NAME = ') + END,
    ],
    ['other headers', TYPE, MODEL.replace('\r\n\r\n', '\r\nContent-Type: text/plain\r\nX: y\r\n\r\n') + END],
    ['a blank line before it', TYPE, `\r\n${MODEL}${END}`],
    ['a line feed alone in its text', TYPE, part('name="prompt"', 'x\n--c--\ny') + MODEL + END],
    ['a charset that is UTF-8', 'multipart/form-data; charset="UTF-8"; boundary=b', MODEL + END],
  ])('%s', async (_, type, form) => {
    expect((await read(form, LIMITS, type)).model).toBe('whisper-1')
  })

  test.each([
    ['a file', part('name="model"; filename="m.txt"', 'x')],
    ['a file with an encoded name', part(`name="model"; filename*=utf-8''m`, 'x')],
    ['another field', part('name="models"', 'x')],
    ['the text of another field', part('name="prompt"', 'Content-Disposition: form-data; name="model"\r\n\r\nx')],
    ['a file name', part('name="file"; filename="; name=\\"model\\""', 'x')],
    ['a longer delimiter', MODEL.replace('--b', '--bb').replace('', '--b\r\n\r\n')],
    ['after the end', END + MODEL],
    ['nothing at all', ''],
  ])('no model in %s', async (_, form) => {
    const body = utf8(form + END)
    const result = await read(body)
    expect(result.model).toBeNull()
    expect(await drain(result.bodyFor(null))).toEqual(body)
  })

  test.each([
    ['true', true],
    ['True', true],
    ['1', true],
    ['false', false],
    ['0', false],
    ['', false],
  ])('stream: %j is %j', async (value, expected) => {
    expect((await read(part('name="stream"', value) + MODEL + END)).stream).toBe(expected)
    expect((await read(MODEL + END)).stream).toBeNull()
  })
})
