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
    rest: '{"messages":[{"content":"s","role":"system"},{"role":"user"}],"seed":1}',
  })
})

test('so are parts that are text alone, and a prompt', () => {
  const parts = [
    { type: 'text', text: 'a' },
    { type: 'text', text: 'b' },
  ]
  expect(questionOf({ messages: [user(parts)] })?.text).toBe('a\nb')
  expect(questionOf({ prompt: 'p', max_tokens: 1 })).toEqual({ text: 'p', rest: '{"max_tokens":1,"prompt":}' })
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
    ['longer than can be compared', { messages: [user('x'.repeat(1_501))] }],
    ['with messages twice', '{"messages":[],"messages":[{"role":"user","content":"q"}]}'],
    ['with two contents', '{"messages":[{"role":"user","content":"a","content":"b"}]}'],
    ['with two roles', '{"messages":[{"role":"system","role":"user","content":"b"}]}'],
  ])('%s', (_, body) => {
    expect(questionOf(body)).toBeNull()
  })
})
