// Prometheus text as exporters write it, and as nobody should.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sampleValues } from './prometheus-text.ts'

const WANTED = new Set(['vllm:a', 'b_total'])

function valuesOf(text: string): Record<string, readonly number[]> {
  return Object.fromEntries(sampleValues(text, WANTED))
}

describe('a line', () => {
  test.each([
    ['plain', 'vllm:a 3.0', [3]],
    ['with labels', 'vllm:a{engine="0",model_name="m"} 4', [4]],
    ['with no labels in its braces', 'vllm:a{} 4', [4]],
    ['with braces, quotes and commas in a label', String.raw`vllm:a{m="}{\"} 9 \\",n=","} 5`, [5]],
    ['with a trailing comma', 'vllm:a{m="x",} 5', [5]],
    ['without a blank after the labels', 'vllm:a{m="x"}5', [5]],
    ['with blanks all over', '\t vllm:a  { m = "x" }  5  ', [5]],
    ['with a timestamp', 'vllm:a{m="x"} 5 1767000000000', [5]],
    ['with an exemplar', 'vllm:a{m="x"} 5 1.5 # {trace_id="}"} 0.67 1.6', [5]],
    ['ending in CRLF', 'vllm:a 5\r', [5]],
    ['in exponents', 'vllm:a 1.5e+03', [1500]],
    ['of a fraction', 'vllm:a .25', [0.25]],
    ['negative', 'vllm:a -2', [-2]],
    ['infinite', 'vllm:a +Inf', [Number.POSITIVE_INFINITY]],
    ['infinite below', 'vllm:a -Inf', [Number.NEGATIVE_INFINITY]],
    ['of no number', 'vllm:a NaN', [Number.NaN]],
  ])('%s', (_, line, expected) => {
    expect(valuesOf(line)).toEqual({ 'vllm:a': expected })
  })

  test.each([
    ['a comment', '# TYPE vllm:a gauge'],
    ['another name that begins alike', 'vllm:a_by_reason 3'],
    ['without a value', 'vllm:a'],
    ['without a value after labels', 'vllm:a{m="x"}'],
    ['with labels that never end', 'vllm:a{m="x" 3'],
    ['with a quote that never ends', 'vllm:a{m="x} 3'],
    ['with a backslash for an end', 'vllm:a{m="x\\'],
    ['with a word for a value', 'vllm:a many'],
    ['in hexadecimal, which the format does not have', 'vllm:a 0x10'],
    ['blank', '   '],
    ['of a web page', '<html lang="en">'],
  ])('says nothing: %s', (_, line) => {
    expect(valuesOf(line)).toEqual({})
  })
})

test('every series of a name counts, in the order of the text, with or without a last newline', () => {
  const text = '# HELP x\nvllm:a{e="0"} 1\nb_total 7\n\nnoise 3\nvllm:a{e="1"} 2'
  expect(valuesOf(text)).toEqual({ 'vllm:a': [1, 2], b_total: [7] })
  expect(valuesOf(`${text}\n`)).toEqual(valuesOf(text))
})

describe('properties', () => {
  /** A label's value as the format writes it. */
  const quoted = (value: string) =>
    `"${value
      .replaceAll('\\', String.raw`\\`)
      .replaceAll('"', String.raw`\"`)
      .replaceAll('\n', String.raw`\n`)}"`
  const line = fc.record({
    name: fc.constantFrom('vllm:a', 'b_total', 'other'),
    labels: fc.array(fc.string(), { maxLength: 3 }),
    // Zero below zero is written as zero.
    value: fc.double().map((value) => value + 0),
    tail: fc.constantFrom('', ' 1767000000000', ' # {a="}"} 1', '\r'),
  })

  test('what was written is read, whatever the labels hold', () => {
    const property = fc.property(fc.array(line), (lines) => {
      const text = lines
        .map(({ name, labels, value, tail }) => {
          const inBraces = labels.map((label, at) => `l${at}=${quoted(label.replaceAll('\r', ''))}`).join(',')
          return `${name}{${inBraces}} ${value}${tail}\n`
        })
        .join('')
      const expected: Record<string, number[]> = {}
      for (const { name, value } of lines) if (WANTED.has(name)) (expected[name] ??= []).push(value)
      expect(valuesOf(text)).toEqual(expected)
    })
    fc.assert(property)
  })

  test('no text breaks it, and every value is of a wanted name', () => {
    const noise = fc.string({
      unit: fc.constantFrom('vllm:a', 'b_total', '{', '}', '"', '\\', ' ', '\n', '\r', '=', '1', 'NaN', '#'),
    })
    const property = fc.property(noise, (text) => {
      for (const name of Object.keys(valuesOf(text))) expect(WANTED.has(name)).toBe(true)
    })
    fc.assert(property, { numRuns: 1_000 })
  })

  test.each([
    ['one line that never ends', 'vllm:a{x="', 4_000_000],
    ['a wanted sample all over', 'vllm:a 1\n', 400_000],
    ['braces that open', 'vllm:a{\n', 400_000],
    ['blanks', ' ', 4_000_000],
  ])('time grows with the text only: %s', (_, piece, times) => {
    const text = piece.repeat(times / piece.length)
    const startedAtMs = performance.now()
    valuesOf(text)
    // A pass over four million characters takes some ten milliseconds; anything quadratic would take minutes.
    expect(performance.now() - startedAtMs).toBeLessThan(2_000)
  })
})
