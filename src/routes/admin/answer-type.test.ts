import { expect, test } from 'vitest'
import { prefersText } from './answer-type.ts'

test.each([
  [null, false],
  ['', false],
  ['*/*', false],
  ['application/json', false],
  ['text/plain', true],
  ['TEXT/PLAIN; charset=utf-8', true],
  ['text/*', true],
  ['text/html', false],
  ['text/plain, application/json', false],
  ['text/plain;q=0.9, application/json;q=0.5', true],
  ['text/plain, */*;q=0.1', true],
  ['text/plain;q=0', false],
  ['text/plain;q=nonsense', false],
])('%s', (accept, isText) => expect(prefersText(accept)).toBe(isText))
