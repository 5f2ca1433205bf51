// Edits below the top level: what is not named stays, to the byte.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJsonBody } from './json-body.ts'
import { setNestedMember, setSystemPrompt, type SystemPlace } from './splice-nested.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)

describe('a member of an object', () => {
  test.each([
    ['{"a":1.0}', '{"k":{"n":true},"a":1.0}'],
    ['{}', '{"k":{"n":true}}'],
    ['{"k": {"x" : 1e2, "n": false }, "a":1}', '{"k": {"x" : 1e2, "n": true }, "a":1}'],
    ['{"k":{ }}', '{"k":{"n":true }}'],
    ['{"k":null}', '{"k":{"n":true}}'],
    ['{"k":[1]}', '{"k":{"n":true}}'],
    ['{"\\u006b":{"\\u006e":0}}', '{"\\u006b":{"\\u006e":true}}'],
    ['\ufeff{"k":{"x":"é"}}', '\ufeff{"k":{"n":true,"x":"é"}}'],
  ])('%s', (before, after) => {
    expect(textOf(setNestedMember(parseJsonBody(bytesOf(before)), 'k', 'n', true))).toBe(after)
  })
})

function told(place: SystemPlace, body: string, mode: 'replace' | 'insert'): string {
  return textOf(setSystemPrompt(parseJsonBody(bytesOf(body)), place, { text: 'A "b"\n', mode }))
}

const ADDED = '{"role":"system","content":"A \\"b\\"\\n"}'

describe('a system prompt', () => {
  test.each<[SystemPlace, 'replace' | 'insert', string, string]>([
    ['messages', 'insert', '{"messages":[]}', `{"messages":[${ADDED}]}`],
    ['messages', 'replace', '{"messages": [ {"role":"user"} ]}', `{"messages": [${ADDED}, {"role":"user"} ]}`],
    [
      'messages',
      'insert',
      '{"messages":[{"x":1.0},{"role":"developer","content":"\\u00e9"}],"n":1e3}',
      '{"messages":[{"x":1.0},{"role":"developer","content":"A \\"b\\"\\n\\n\\n\\u00e9"}],"n":1e3}',
    ],
    [
      'messages',
      'replace',
      '{"messages":[{"content":"é", "role":"system"},{"role":"user","content":"[1,2"}]}',
      '{"messages":[{"content":"A \\"b\\"\\n", "role":"system"},{"role":"user","content":"[1,2"}]}',
    ],
    [
      'messages',
      'insert',
      '{"messages":[{"role":"system","content":[{"type":"text","text":"x"}]}]}',
      '{"messages":[{"role":"system","content":[{"type":"text","text":"A \\"b\\"\\n"},{"type":"text","text":"x"}]}]}',
    ],
    [
      'messages',
      'insert',
      '{"messages":[{"role":"system"}]}',
      '{"messages":[{"content":"A \\"b\\"\\n","role":"system"}]}',
    ],
    ['messages', 'insert', '{"messages":"none"}', '{"messages":"none"}'],
    ['system', 'insert', '{"a":1}', '{"system":"A \\"b\\"\\n","a":1}'],
    ['system', 'insert', '{"system" : "x"}', '{"system" : "A \\"b\\"\\n\\n\\nx"}'],
    ['system', 'replace', '{"system" : "x"}', '{"system" : "A \\"b\\"\\n"}'],
    ['system', 'insert', '{"system":[ ]}', '{"system":[{"type":"text","text":"A \\"b\\"\\n"} ]}'],
    ['instructions', 'insert', '{"instructions":null}', '{"instructions":"A \\"b\\"\\n"}'],
  ])('%s, %s: %s', (place, mode, before, after) => {
    expect(told(place, before, mode)).toBe(after)
  })

  test('whatever the messages are, they stay behind it', () => {
    const message = fc.record({ role: fc.constantFrom('user', 'assistant', 'system'), content: fc.string() })
    fc.assert(
      fc.property(fc.array(message), fc.constantFrom('  ', '\n', ''), (messages, space) => {
        const before = JSON.stringify({ messages, rest: [1, { messages: [] }] }, null, space)
        const after = JSON.parse(told('messages', before, 'replace'))
        const at = messages.findIndex(({ role }) => role === 'system')
        const own = { role: 'system', content: 'A "b"\n' }
        expect(after.messages).toEqual(
          at === -1 ? [own, ...messages] : messages.map((one, index) => (index === at ? own : one)),
        )
        expect(after.rest).toEqual([1, { messages: [] }])
      }),
    )
  })
})
