// Placeholders on plain data, without a schema.
// What a schema makes of a replaced value is tested with the loader.

import { expect, test } from 'vitest'
import { interpolate, readAsPlainScalar } from './interpolate.ts'

const variables: Readonly<Record<string, string>> = { A: 'one', EMPTY: '', YAML: 'x\nkey: [injected' }
const run = (value: unknown) => interpolate(value, { env: (name) => variables[name], names: null })

test.each([
  ['${A}', 'one'],
  ['a ${A} b ${A}', 'a one b one'],
  ['${NONE:-two}', 'two'],
  ['${A:-two}', 'one'],
  ['${EMPTY:-two}', 'two'],
  ['${EMPTY}', ''],
  ['${NONE:-}', ''],
  ['${NONE:-http://h:1/a-b}', 'http://h:1/a-b'],
  ['$${A}', '${A}'],
  ['$$${A}', '$${A}'],
  ['$A $ {A} }', '$A $ {A} }'],
  ['${YAML}', 'x\nkey: [injected'],
])('%s becomes %j', (text, expected) => {
  expect(run(text)).toMatchObject({ value: expected, problems: [] })
})

test.each(['${}', '${A', '${A:?needed}', '${A-b}', '${1}', '${a b}'])('%s is no placeholder', (text) => {
  const { value, problems } = run({ key: [text] })
  expect(value).toEqual({ key: [undefined] })
  expect(problems).toMatchObject([{ path: ['key', 0], message: expect.stringContaining('no placeholder') }])
})

test('every missing variable is reported with its path', () => {
  const { problems } = run({ a: '${X} ${Y}', b: { c: '${Z}' } })
  expect(problems.map(({ path, message }) => `${path.join('.')} ${/variable (\w+)/.exec(message)?.[1]}`)).toEqual([
    'a X',
    'a Y',
    'b.c Z',
  ])
})

test('leaves keys and everything that is no text alone', () => {
  const tree = { '${A}': 1, b: [true, null, 2.5], c: { d: 'x' } }
  expect(run(tree).value).toEqual(tree)
})

test.each([
  ['3001', 3001],
  ['-1.5e3', -1500],
  ['0x1F', 31],
  ['0o17', 15],
  ['true', true],
  ['FALSE', false],
  ['', null],
  ['~', null],
  ['yes', 'yes'],
  ['1_000', '1_000'],
  ['1 # one', '1 # one'],
])('%j reads as %j', (text, expected) => {
  expect(readAsPlainScalar(text)).toBe(expected)
})
