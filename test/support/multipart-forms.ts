// Forms as tests of multipart bodies write them, and where they are read from.

import { readMultipartModel, type MultipartLimits } from '../../src/dialect/multipart.ts'
import { RouterError } from '../../src/errors/router-error.ts'
import { joinBytes } from '../conformance/dialect.ts'

export const LIMITS: MultipartLimits = { maxBodyBytes: 64 * 1024 * 1024 }
export const TYPE = 'multipart/form-data; boundary=b'
export const utf8 = (text: string) => new TextEncoder().encode(text)

interface Source {
  readonly stream: ReadableStream<Uint8Array>
  pulls: number
  cancelled: unknown
}

export function sourceOf(chunks: readonly Uint8Array[]): Source {
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

export async function drain(body: Body): Promise<Uint8Array<ArrayBuffer>> {
  if (body instanceof Uint8Array) return body
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return joinBytes(chunks)
}

export function streamOf(body: Body): ReadableStream<Uint8Array> {
  if (body instanceof ReadableStream) return body
  throw new Error('the form is held whole')
}

export async function refusal(run: () => Promise<unknown>): Promise<RouterError> {
  try {
    await run()
  } catch (error) {
    if (error instanceof RouterError) return error
    throw error
  }
  throw new Error('accepted')
}

export const read = (form: string | Uint8Array, limits = LIMITS, type = TYPE) =>
  readMultipartModel(sourceOf([typeof form === 'string' ? utf8(form) : form]).stream, type, limits)

export const part = (disposition: string, value: string, eol = '\r\n') =>
  ['--b', `Content-Disposition: form-data; ${disposition}`, '', value, ''].join(eol)
export const END = '--b--\r\n'
export const MODEL = part('name="model"', 'whisper-1')
