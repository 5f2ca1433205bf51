import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { expect, test } from 'vitest'
import { toWorkerAnswer } from './node-answer.ts'

function answer(headers: Dispatcher.ResponseData['headers'], body = Readable.from([gzipSync('{}')])) {
  // Of the rest nothing is looked at before the body is read.
  return toWorkerAnswer({ statusCode: 200, headers, body } as unknown as Dispatcher.ResponseData)
}

test('white space around a value is no part of it (RFC 9110, 5.5)', () => {
  const { headers } = answer({ 'content-type': 'application/json \t', 'content-encoding': 'identity ' })
  expect(headers.get('content-type')).toBe('application/json')
  expect(headers.get('content-encoding')).toBe('identity')
})

test('several of a name are one value, and what is not there is null', () => {
  const { headers } = answer({ 'cache-control': ['no-store ', 'private'] })
  expect(headers.get('cache-control')).toBe('no-store, private')
  expect(headers.get('constructor')).toBeNull()
})

test('what was encoded is decoded, and its encoding and length are gone', async () => {
  const whole = answer({ 'content-encoding': 'GZIP ', 'content-length': '9', 'retry-after': '1' })
  const names = ['content-encoding', 'content-length', 'retry-after']
  expect(names.map((name) => whole.headers.get(name))).toEqual([null, null, '1'])
  expect([whole.isDecoded, await whole.text()]).toEqual([true, '{}'])
})

test('what says it is encoded and has no bytes fails whoever reads it, and nobody else', async () => {
  const body = Readable.from([])
  const unread = answer({ 'content-encoding': 'gzip' }, body)
  // The runner fails on an error that nobody took.
  await new Promise((resolve) => body.once('close', resolve))
  await expect(answer({ 'content-encoding': 'gzip' }, Readable.from([])).arrayBuffer()).rejects.toThrow('end of file')
  await expect(unread.arrayBuffer()).rejects.toThrow()
})
