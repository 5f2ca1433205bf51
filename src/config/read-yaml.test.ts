// What of YAML is read, what is refused, and where things are said to be.
// The texts that took the parser minutes or its stack are here, each as small as still tells.

import { describe, expect, test } from 'vitest'
import { readYaml } from './read-yaml.ts'

function tree(text: string) {
  const result = readYaml(text)
  if (!result.ok) throw new Error(JSON.stringify(result.findings))
  return result.tree
}

test('reads the core schema of YAML 1.2, whatever the directive says', () => {
  expect(tree('%YAML 1.1\n---\na: off\nb: yes\nc: 0o10\nd: 010\ne: 12:30:45\n').value).toEqual({
    a: 'off',
    b: 'yes',
    c: 8,
    d: 10,
    e: '12:30:45',
  })
})

test('finds keys and values, the closest thing around what is missing, and both of a key given twice', () => {
  const { locate, problems } = tree('a:\n  - b: 1\n    c: x\na: 2\nd:\n')
  expect(locate(['a', 0, 'c'], true)).toEqual({ line: 3, column: 5 })
  expect(locate(['a', 0, 'c'], false)).toEqual({ line: 3, column: 8 })
  expect(locate(['a', 0, 'nope'], false)).toEqual({ line: 2, column: 5 })
  expect(locate(['a', 7], false)).toEqual({ line: 2, column: 3 })
  expect(locate(['a'], true)).toEqual({ line: 4, column: 1 })
  expect(problems).toMatchObject([{ path: ['a'], atKey: true, message: expect.stringContaining('twice') }])
})

test('follows aliases, ten of them', () => {
  const ten = Array.from({ length: 10 }, (_, index) => `k${index}: *a`).join('\n')
  expect(tree(`x: &a {y: 1}\n${ten}`).problems).toEqual([])
  expect(tree(`x: &a {y: 1}\n${ten}\nz: *a`).problems).toMatchObject([{ path: ['z'] }])
  expect(tree('x: &a {y: 1}\nz: *a').locate(['z', 'y'], false)).toEqual({ line: 1, column: 11 })
})

describe('refuses', () => {
  const bomb = Array.from({ length: 12 }, (_, i) => `a${i}: &a${i} [${i === 0 ? '1' : `*a${i - 1}, *a${i - 1}`}]`).join(
    '\n',
  )

  test.each([
    ['an alias to itself', 'a: &a [*a]'],
    ['a billion laughs', bomb],
    ['deep nesting', `a: ${'- '.repeat(40)}b`.replace('a: ', 'a:\n')],
    ['a map as a key', '{a: 1}: 2'],
    ['an alias to nothing', 'a: *b'],
  ])('%s', (_, text) => {
    expect(tree(text).problems.length).toBeGreaterThan(0)
  })

  test.each([
    ['a custom tag', 'a: !secret x', 4],
    ['a known tag beyond the core', 'a: !!binary aGk=', 4],
    ['two documents', 'a: 1\n---\nb: 2', 1],
    ['deep brackets', `a: "[[" # [[\nb: ${'['.repeat(40)}${']'.repeat(40)}`, 36],
    ['a tab', 'a:\n\tb: 1', 1],
    ['an unclosed bracket', 'a: [', null],
  ])('%s', (_, text, column) => {
    const result = readYaml(text)
    if (result.ok) throw new Error('was read')
    expect(result.findings[0]).toMatchObject({ severity: 'error', line: expect.any(Number) })
    if (column !== null) expect(result.findings[0]?.column).toBe(column)
  })

  test('quotes around ${NAME} are proposed where brackets need them', () => {
    const result = readYaml('a: [${B}]')
    expect(result.ok ? '' : result.findings[0]?.message).toContain('needs quotes')
  })

  test.each([
    ['open brackets', '['.repeat(100_000)],
    ['open maps', '{a: '.repeat(50_000)],
    ['dashes', '- '.repeat(100_000)],
    ['question marks', '? '.repeat(100_000)],
    ['too much text', `a: ${'x'.repeat(512 * 1024)}`],
    ['too much text beyond ASCII', `a: ${'é'.repeat(300 * 1024)}`],
  ])('%s, without a crash', (_, text) => {
    const result = readYaml(text)
    expect(result.ok ? result.tree.problems : result.findings).not.toEqual([])
  })
})

test('reads many keys in reasonable time', () => {
  const text = Array.from({ length: 40_000 }, (_, index) => `k${index}: 1`).join('\n')
  expect(tree(text).problems).toEqual([])
})
