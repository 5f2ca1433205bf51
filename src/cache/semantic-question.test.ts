import { describe, expect, test } from 'vitest'
import { canonicalMembers, joinMembers } from './canonical-json.ts'
import { semanticQuestion } from './semantic-question.ts'

const questionOf = (body: object | string) => {
  const question = semanticQuestion(canonicalMembers(typeof body === 'string' ? body : JSON.stringify(body)))
  return question && { text: question.text, rest: joinMembers(question.rest) }
}

const user = (content: unknown, more: object = {}) => ({ role: 'user', content, ...more })

test('the text of the newest message is what may be told in other words', () => {
  expect(questionOf({ messages: [{ role: 'system', content: 's' }, user('q "1"\n')], seed: 1 })).toEqual({
    text: 'q "1"\n',
    rest: '{"messages":[{"content":"s","role":"system"},{"role":"user"}],"seed":1,literals:["1"]}',
  })
})

test('so are parts that are text alone, and a prompt', () => {
  const parts = [
    { type: 'text', text: 'a' },
    { type: 'text', text: 'b' },
  ]
  expect(questionOf({ messages: [user(parts)] })?.text).toBe('a b')
  expect(questionOf({ prompt: 'p', max_tokens: 1 })).toEqual({
    text: 'p',
    rest: '{"max_tokens":1,"prompt":,literals:[]}',
  })
})

const restOf = (text: string) => questionOf({ messages: [user(text)] })?.rest

test.each([
  ['What is 17 times 23?', 'What is 17 times 24?'],
  ['Convert 5 metres to 6', 'Convert 6 metres to 5'],
  ['Is it -5 degrees?', 'Is it 5 degrees?'],
  ['What came out in v1.2?', 'What came out in v1.20?'],
  ['Was geschah ２０２１?', 'Was geschah ２０２２?'],
  [`Decode ${'ab'.repeat(30)}`, `Decode ${'ba'.repeat(30)}`],
])('%s is not what is asked with %s, however near the two are', (one, other) => {
  expect(restOf(one)).not.toBe(restOf(other))
})

test.each([
  ['What happened in 2021?', 'In 2021: what happened.'],
  ['How do I reset it?', 'How is it reset'],
  ['漢'.repeat(50), '字'.repeat(60)],
])('%s may be what is asked with %s', (one, other) => {
  expect(restOf(one)).toBe(restOf(other))
})

describe('there is no question', () => {
  test.each<[string, object | string]>([
    ['without messages', { seed: 1 }],
    ['in an empty conversation', { messages: [] }],
    ['when somebody else spoke last', { messages: [user('q'), { role: 'assistant', content: 'a' }] }],
    ['when a tool did', { messages: [{ role: 'tool', content: 'q', tool_call_id: 'x' }] }],
    ['with a picture', { messages: [user([{ type: 'image_url', image_url: { url: 'data:' } }])] }],
    ['with a part that says more than text', { messages: [user([{ type: 'text', text: 'q', cache_control: {} }])] }],
    ['with nothing said', { messages: [user('  ')] }],
    ['with nothing there', { messages: [user(null)] }],
    ['with token ids', { prompt: [1, 2] }],
    ['with several prompts', { prompt: ['a', 'b'] }],
    ['with a prompt beside messages', { prompt: 'a', messages: [user('b')] }],
    ['longer than can be compared', { messages: [user('x'.repeat(1_001))] }],
    ['longer than can be compared in its script', { messages: [user('漢'.repeat(334))] }],
    ['with messages twice', '{"messages":[],"messages":[{"role":"user","content":"q"}]}'],
    ['with two contents', '{"messages":[{"role":"user","content":"a","content":"b"}]}'],
    ['with two roles', '{"messages":[{"role":"system","role":"user","content":"b"}]}'],
  ])('%s', (_, body) => {
    expect(questionOf(body)).toBeNull()
  })
})
