// What POST /lookup of the legacy controller says for certain, shape by shape.

import { describe, expect, test } from 'vitest'
import { readLayout } from './layout-info.ts'

const CPU = 'LocalCPUBackend'

/** As it comes over the wire: JSON.parse reorders keys that look like indexes. */
function read(layout: string, tokens = 8_192, assumesChains = false) {
  return readLayout(JSON.parse(`{"event_id":"Lookup1","layout_info":${layout}}`), { tokens, assumesChains })
}

function matchesOf(layout: string): Record<string, number> | null {
  const found = read(layout)
  return found === null ? null : Object.fromEntries(found.tokensByInstance)
}

describe('one holder', () => {
  test.each([
    ['nobody', '{}', {}],
    ['a whole match', `{"a":["${CPU}",768]}`, { a: 768 }],
    ['what is left of the last chunk', `{"a":["${CPU}",700]}`, { a: 700 }],
    ['an end at zero', `{"a":["${CPU}",0]}`, {}],
    ['an instance that is called like an index', `{"7":["${CPU}",512]}`, { 7: 512 }],
    ['another location', '{"a":["LocalDiskBackend",512]}', { a: 512 }],
    ['more than is known of an entry', `{"a":["${CPU}",512,{"pinned":true}]}`, { a: 512 }],
    ['a name that every object has', `{"constructor":["${CPU}",512]}`, { constructor: 512 }],
  ])('%s', (_, layout, matches) => expect(matchesOf(layout)).toEqual(matches))
})

describe('several holders are parts of one chain', () => {
  test.each([
    ['the first one holds the first chunk', `{"a":["${CPU}",768],"b":["${CPU}",1536]}`, { a: 256 }],
    ['and the second, where that is its last', `{"a":["${CPU}",512],"b":["${CPU}",1536]}`, { a: 512 }],
    ['one that comes back at the end', `{"a":["${CPU}",1536],"b":["${CPU}",768]}`, { a: 256 }],
    ['whoever ends with the first chunk, in whatever order', `{"b":["${CPU}",512],"a":["${CPU}",256]}`, { a: 256 }],
    ['three', `{"a":["${CPU}",512],"b":["${CPU}",768],"c":["${CPU}",1024]}`, { a: 512 }],
    // The order of the chain is lost with such a name among them.
    ['a name like an index', `{"a":["${CPU}",768],"1":["${CPU}",1536]}`, {}],
    ['that ends with the first chunk', `{"a":["${CPU}",768],"1":["${CPU}",256]}`, { 1: 256 }],
    ['a number that is no index', `{"01":["${CPU}",512],"b":["${CPU}",1536]}`, { '01': 512 }],
  ])('%s', (_, layout, matches) => expect(matchesOf(layout)).toEqual(matches))

  test.each([
    ['one', '{"a":["cpu",768]}', []],
    [
      'two: the last chunk of the first is its own, and all behind it the other’s',
      '{"a":["cpu",768],"b":["cpu",1536]}',
      [
        ['a', 512, 768],
        ['b', 768, 1_536],
      ],
    ],
    [
      'three',
      '{"a":["cpu",512],"b":["cpu",768],"c":["cpu",2048]}',
      [
        ['a', 256, 512],
        ['b', 512, 768],
        ['c', 768, 2_048],
      ],
    ],
    [
      'in another order, which the ends tell',
      '{"7":["cpu",1536],"b":["cpu",768]}',
      [
        ['b', 512, 768],
        ['7', 768, 1_536],
      ],
    ],
    [
      'a chunk that is not whole',
      '{"a":["cpu",512],"b":["cpu",700]}',
      [
        ['a', 256, 512],
        ['b', 512, 700],
      ],
    ],
    ['ends that are the same, which is none of a chain', '{"a":["cpu",512],"b":["cpu",512]}', [['a', 256, 512]]],
  ])('what is surely whose: %s', (_, layout, parts) => {
    const found = read(layout)?.parts.map(({ instanceId, from, end }) => [instanceId, from, end])
    expect(found).toEqual(parts)
  })

  test('what anybody holds goes to the last end', () => {
    expect(read('{"a":["cpu",512],"b":["cpu",2048]}')?.knownTokens).toBe(2_048)
    expect(read('{"b":["cpu",2048]}')?.knownTokens).toBe(2_048)
  })

  test('are taken for matches where an operator says that chains are unbroken', () => {
    const found = read(`{"a":["${CPU}",768],"b":["${CPU}",1536]}`, 8_192, true)
    expect(Object.fromEntries(found?.tokensByInstance ?? [])).toEqual({ a: 768, b: 1_536 })
    expect(found?.parts).toEqual([])
  })
})

describe('an answer of another shape', () => {
  test.each([
    ['no layout', '{"event_id":"Lookup1"}'],
    ['the bare layout of the documentation', `{"a":["${CPU}",768]}`],
    ['a list', '[]'],
    ['a word', '"ok"'],
    ['nothing', 'null'],
    ['a layout that is a list', '{"layout_info":[]}'],
    ['no layout but null', '{"layout_info":null}'],
    ['an entry that is no pair', '{"layout_info":{"a":768}}'],
    ['an end alone', '{"layout_info":{"a":[768]}}'],
    ['places changed', `{"layout_info":{"a":[768,"${CPU}"]}}`],
    ['an end that is text', `{"layout_info":{"a":["${CPU}","768"]}}`],
    ['a negative end', `{"layout_info":{"a":["${CPU}",-256]}}`],
    ['half a token', `{"layout_info":{"a":["${CPU}",256.5]}}`],
    ['more than was asked about', `{"layout_info":{"a":["${CPU}",8448]}}`],
    ['one bad entry among good ones', `{"layout_info":{"a":["${CPU}",256],"b":null}}`],
  ])('%s says nothing', (_, text) => {
    expect(readLayout(JSON.parse(text), { tokens: 8_192, assumesChains: false })).toBeNull()
  })

  test('the event id may be missing', () => {
    const found = readLayout({ layout_info: { a: [CPU, 256] } }, { tokens: 300, assumesChains: false })
    expect(found?.tokensByInstance.get('a')).toBe(256)
  })
})
