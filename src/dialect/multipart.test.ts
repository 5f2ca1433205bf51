// Forms as browsers and clients encode them, in any pieces: the model is found and no byte changes.
// And forms that no honest client sends, each refused before or while it streams.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { joinBytes, splitBytes } from '../../test/conformance/dialect.ts'
import { RouterError } from '../errors/router-error.ts'
import { readBoundary, readMultipartModel, type MultipartLimits } from './multipart.ts'

const LIMITS: MultipartLimits = { maxBodyBytes: 64 * 1024 * 1024 }
const TYPE = 'multipart/form-data; boundary=b'
const utf8 = (text: string) => new TextEncoder().encode(text)

interface Source {
  readonly stream: ReadableStream<Uint8Array>
  pulls: number
  cancelled: unknown
}

function sourceOf(chunks: readonly Uint8Array[]): Source {
  const rest = [...chunks]
  const source: Source = {
    pulls: 0,
    cancelled: undefined,
    stream: new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          source.pulls++
          const chunk = rest.shift()
          if (chunk === undefined) controller.close()
          else controller.enqueue(chunk)
        },
        cancel(reason) {
          source.cancelled = reason
        },
      },
      { highWaterMark: 0 },
    ),
  }
  return source
}

type Body = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>

async function drain(body: Body): Promise<Uint8Array<ArrayBuffer>> {
  if (body instanceof Uint8Array) return body
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return joinBytes(chunks)
}

function streamOf(body: Body): ReadableStream<Uint8Array> {
  if (body instanceof ReadableStream) return body
  throw new Error('the form is held whole')
}

async function refusal(run: () => Promise<unknown>): Promise<RouterError> {
  try {
    await run()
  } catch (error) {
    if (error instanceof RouterError) return error
    throw error
  }
  throw new Error('accepted')
}

const read = (form: string | Uint8Array, limits = LIMITS, type = TYPE) =>
  readMultipartModel(sourceOf([typeof form === 'string' ? utf8(form) : form]).stream, type, limits)

const part = (disposition: string, value: string, eol = '\r\n') =>
  ['--b', `Content-Disposition: form-data; ${disposition}`, '', value, ''].join(eol)
const END = '--b--\r\n'
const MODEL = part('name="model"', 'whisper-1')

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

describe('the body handed on', () => {
  const fileChunk = new Uint8Array(64 * 1024).fill(0x61)
  const openFile = utf8('--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n')

  /** A form with a file of so many times 64 KiB after its model. */
  const formOf = (chunks: number) => [
    utf8(MODEL),
    openFile,
    ...Array.from({ length: chunks }, () => fileChunk),
    utf8(`\r\n${END}`),
  ]

  test('is read beyond its held beginning only as it is asked for', async () => {
    const source = sourceOf(formOf(50))
    const { bodyFor, isWhole } = await readMultipartModel(source.stream, TYPE, LIMITS)
    expect(isWhole).toBe(false)
    const held = source.pulls
    expect(held).toBeLessThanOrEqual(19)
    const reader = streamOf(bodyFor(null)).getReader()
    let bytes = 0
    while (bytes <= 1024 * 1024) bytes += (await reader.read()).value?.length ?? 0
    expect(source.pulls).toBe(held)
    await reader.read()
    expect(source.pulls).toBe(held + 1)
    await reader.cancel('left')
    expect(source.cancelled).toBe('left')
  })

  test('holds no more than the limit when there is no model', async () => {
    const chunks = [openFile, ...Array.from({ length: 100 }, () => fileChunk), utf8(`\r\n${END}`)]
    const source = sourceOf(chunks)
    const { model, bodyFor } = await readMultipartModel(source.stream, TYPE, LIMITS)
    expect(model).toBeNull()
    expect(source.pulls).toBeLessThanOrEqual(17)
    expect(await drain(bodyFor(null))).toEqual(joinBytes(chunks))
  })

  test('errors when it grows beyond its limit, held or streamed', async () => {
    const held = sourceOf([openFile, fileChunk])
    const error = await refusal(() => readMultipartModel(held.stream, TYPE, { maxBodyBytes: 1000 }))
    expect(error.code).toBe('body_too_large')
    expect(held.cancelled).toBe(error)
    const streamed = sourceOf(formOf(18))
    const { bodyFor } = await readMultipartModel(streamed.stream, TYPE, { maxBodyBytes: 1_150_000 })
    expect((await refusal(() => drain(bodyFor(null)))).code).toBe('body_too_large')
    expect(streamed.cancelled).toBeInstanceOf(RouterError)
    const exact = utf8(MODEL + END)
    expect(await drain((await read(exact, { maxBodyBytes: exact.length })).bodyFor(null))).toEqual(exact)
  })

  test('errors when a second model comes by later, and is refused before that where it is held', async () => {
    const second = utf8(`\r\n${part('name="model"', 'forbidden')}${END}`)
    const held = sourceOf([...formOf(1).slice(0, -1), second])
    expect(await refusal(() => readMultipartModel(held.stream, TYPE, LIMITS))).toMatchObject({ param: 'model' })
    const source = sourceOf([...formOf(20).slice(0, -1), second])
    const { model, bodyFor } = await readMultipartModel(source.stream, TYPE, LIMITS)
    expect(model).toBe('whisper-1')
    expect(await refusal(() => drain(bodyFor(null)))).toMatchObject({ code: 'invalid_multipart', param: 'model' })
  })

  test('tells of a model that came too late to route by, before those bytes are handed on', async () => {
    const chunks = [openFile, ...Array.from({ length: 20 }, () => fileChunk), utf8(`\r\n${MODEL}${END}`)]
    const seen: string[] = []
    const told = await readMultipartModel(sourceOf(chunks).stream, TYPE, {
      ...LIMITS,
      onLateModel: (model) => void seen.push(model),
    })
    expect(told.model).toBeNull()
    expect(await drain(told.bodyFor(null))).toEqual(joinBytes(chunks))
    expect(seen).toEqual(['whisper-1'])
    const refused = await readMultipartModel(sourceOf(chunks).stream, TYPE, {
      ...LIMITS,
      onLateModel() {
        throw new RouterError('model_not_found', 'Not this one.')
      },
    })
    expect((await refusal(() => drain(refused.bodyFor(null)))).code).toBe('model_not_found')
  })

  test('passes the failure of its source on, held or streamed', async () => {
    const failure = new Error('the client left')
    const failingAfter = (chunks: readonly Uint8Array[]) => {
      const rest = [...chunks]
      return new ReadableStream<Uint8Array>({
        pull(controller) {
          const chunk = rest.shift()
          if (chunk === undefined) controller.error(failure)
          else controller.enqueue(chunk)
        },
      })
    }
    await expect(readMultipartModel(failingAfter([utf8(MODEL)]), TYPE, LIMITS)).rejects.toBe(failure)
    const { bodyFor } = await readMultipartModel(failingAfter(formOf(20).slice(0, -1)), TYPE, LIMITS)
    await expect(drain(bodyFor(null))).rejects.toBe(failure)
  })

  test('of a form that is no longer than the limit is bytes, to be had as often as wanted', async () => {
    const form = utf8(MODEL + END)
    for (const maxBufferedBytes of [form.length, form.length + 1]) {
      const { isWhole, isUntouched, bodyFor } = await read(form, { ...LIMITS, maxBufferedBytes })
      expect(isWhole).toBe(true)
      for (const model of [null, 'other', 'whisper-1', 'other']) {
        const expected = utf8((MODEL + END).replace('whisper-1', model ?? 'whisper-1'))
        expect(bodyFor(model)).toEqual(expected)
      }
      expect(bodyFor('other')).toBe(bodyFor('other'))
      expect(isUntouched()).toBe(true)
    }
    const long = await read(form, { ...LIMITS, maxBufferedBytes: form.length - 1 })
    expect(long.isWhole).toBe(false)
    expect(await drain(long.bodyFor('other'))).toEqual(utf8((MODEL + END).replace('whisper-1', 'other')))
  })

  test('of a long form can be had again while nothing but its beginning was read', async () => {
    const chunks = formOf(50)
    const source = sourceOf(chunks)
    const { isUntouched, bodyFor } = await readMultipartModel(source.stream, TYPE, LIMITS)
    const refused = streamOf(bodyFor('other')).getReader()
    for (let piece = 0; piece < 3; piece++) expect((await refused.read()).value?.length).toBeLessThanOrEqual(64 * 1024)
    await refused.cancel('refused')
    expect([isUntouched(), source.cancelled]).toEqual([true, undefined])
    const abandoned = streamOf(bodyFor(null)).getReader()
    const served = bodyFor(null)
    // An attempt that is over and reads on would take bytes away from the next.
    await expect(abandoned.read()).rejects.toThrow('another attempt')
    expect(await drain(served)).toEqual(joinBytes(chunks))
    expect(isUntouched()).toBe(false)
  })

  test('streams when the form is no longer waited for, once its model is known', async () => {
    let give: (chunk: Uint8Array) => void = () => {}
    let end: () => void = () => {}
    const slow = new ReadableStream<Uint8Array>({
      start(controller) {
        give = (chunk) => controller.enqueue(chunk)
        end = () => controller.close()
      },
    })
    let lose: () => void = () => {}
    const patience = new Promise<void>((resolve) => (lose = resolve))
    const reading = readMultipartModel(slow, TYPE, { ...LIMITS, patience })
    lose()
    give(utf8(MODEL))
    give(utf8(END))
    const { model, isWhole, bodyFor } = await reading
    expect([model, isWhole]).toEqual(['whisper-1', false])
    end()
    expect(await drain(bodyFor(null))).toEqual(utf8(MODEL + END))
  })

  test('waits for all of a form that comes in time', async () => {
    const patience = new Promise<void>(() => {})
    const { isWhole } = await read(MODEL + END, { ...LIMITS, patience })
    expect(isWhole).toBe(true)
  })
})

describe('the body for another model', () => {
  const LEAST = `${part('name="language"', 'en')}${MODEL}${part('name="file"; filename="a.wav"', 'RIFF')}${END}`

  test.each([
    ['another', LEAST],
    ['a longer name, ünïcode', LEAST],
    ['x', `\r\n${LEAST}epilogue`],
  ])('has %j in the place of its own, and else the same bytes', async (wanted, form) => {
    for (let cut = 0; cut <= utf8(form).length; cut++) {
      const source = sourceOf(splitBytes(utf8(form), [cut]))
      const { model, bodyFor } = await readMultipartModel(source.stream, TYPE, LIMITS)
      expect(model).toBe('whisper-1')
      expect(await drain(bodyFor(wanted))).toEqual(utf8(form.replace('whisper-1', wanted)))
    }
  })

  test('is the body as it came for the model it names', async () => {
    const { bodyFor } = await read(LEAST)
    expect(await drain(bodyFor('whisper-1'))).toEqual(utf8(LEAST))
  })

  test.each(['', '\r\n'])('has the field first where the form has none, after %j', async (before) => {
    const form = part('name="file"; filename="a.wav"', 'RIFF') + END
    const { model, bodyFor } = await read(before + form)
    expect(model).toBeNull()
    const body = await drain(bodyFor('whisper-1'))
    expect(body).toEqual(utf8(before + MODEL + form))
    expect((await readMultipartModel(sourceOf([body]).stream, TYPE, LIMITS)).model).toBe('whisper-1')
  })

  test('keeps what streams after the held beginning', async () => {
    const file = new Uint8Array(1_200_000).fill(0x61)
    const chunks = [utf8(MODEL), utf8('--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'), file]
    const source = sourceOf([...chunks, utf8(`\r\n${END}`)])
    const { bodyFor } = await readMultipartModel(source.stream, TYPE, LIMITS)
    const [first, ...rest] = [utf8(MODEL.replace('whisper-1', 'big')), ...chunks.slice(1), utf8(`\r\n${END}`)]
    expect(await drain(bodyFor('big'))).toEqual(joinBytes([first ?? utf8(''), ...rest]))
  })

  test('still refuses a model that comes by too late', async () => {
    const file = new Uint8Array(1_100_000).fill(0x61)
    const open = utf8('--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n')
    const seen: string[] = []
    const source = sourceOf([open, file, utf8(`\r\n${MODEL}${END}`)])
    const { bodyFor } = await readMultipartModel(source.stream, TYPE, {
      ...LIMITS,
      onLateModel: (model) => void seen.push(model),
    })
    await drain(bodyFor('other'))
    expect(seen).toEqual(['whisper-1'])
  })
})
