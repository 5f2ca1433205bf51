// The body that a worker gets of a form: as it came or with the name of another model, held or streamed, refused midway.

import { describe, expect, test } from 'vitest'
import { joinBytes, splitBytes } from '../../test/conformance/dialect.ts'
import {
  drain,
  END,
  LIMITS,
  MODEL,
  part,
  read,
  refusal,
  sourceOf,
  streamOf,
  TYPE,
  utf8,
} from '../../test/support/multipart-forms.ts'
import { RouterError } from '../errors/router-error.ts'
import { readMultipartModel } from './multipart.ts'

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
