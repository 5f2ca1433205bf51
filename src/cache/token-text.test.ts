import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTokenText, toTokenText } from './token-text.ts'

test('any ids come back', () => {
  const id = fc.oneof(fc.nat(300), fc.nat(200_000), fc.integer({ min: 0, max: 0xffff_ffff }))
  fc.assert(
    fc.property(fc.array(id, { maxLength: 3_000 }), (ids) => {
      expect(parseTokenText(toTokenText(Uint32Array.from(ids)))).toEqual(Uint32Array.from(ids))
    }),
  )
})

test('ids of a usual vocabulary take four characters each', () => {
  const ids = Uint32Array.from({ length: 3_000 }, (_, at) => 20_000 + at * 30)
  expect(toTokenText(ids).length).toBeLessThan(4.01 * ids.length + 16)
})

const whole = toTokenText(Uint32Array.from([1, 500, 70_000]))

test.each([
  ['nothing', ''],
  ['another form', `t2.${whole.slice(3)}`],
  ['JSON', '[1,2,3]'],
  ['no base64', 't1.%%%'],
  ['a cut one', `t1.${btoa(atob(whole.slice(3)).slice(0, -1))}`],
  ['one with something behind it', `t1.${btoa(`${atob(whole.slice(3))}x`)}`],
  ['a length that nothing stands for', `t1.${btoa('\xff\xff\xff\xff\x0f')}`],
  ['an id beyond 32 bits', `t1.${btoa('\x01\xff\xff\xff\xff\x7f')}`],
])('%s is no entry', (_, text) => {
  expect(parseTokenText(text)).toBeNull()
})
