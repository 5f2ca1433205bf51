// What classifiers and chat models answer, and what is no answer.

import { describe, expect, test } from 'vitest'
import { readClasses, readCompletion } from './label-answer.ts'

const scored = [
  { label: 'a', score: 0.75 },
  { label: 'b', score: 0.25 },
]
const vllm = { object: 'list', data: [{ index: 0, label: 'a', probs: [0.75, 0.25], num_classes: 2 }] }

describe('classes', () => {
  test.each<[string, unknown, readonly string[] | null, unknown]>([
    ['of vLLM, with names for all', vllm, ['a', 'b'], scored],
    ['of vLLM, which names the likeliest', vllm, null, [{ label: 'a', score: 0.75 }]],
    ['a list of labels and scores', scored, null, scored],
    ['one in another', [scored], null, scored],
    ['names of another classifier', vllm, ['a', 'b', 'c'], null],
    ['probabilities that are none', { data: [{ label: 'a', probs: ['1'] }] }, null, null],
    ['beyond one', [{ label: 'a', score: 7 }], null, null],
    ['no label', [{ score: 1 }], null, null],
    ['nothing', [], null, null],
    ['an error', { error: 'out of memory' }, null, null],
    ['no JSON', null, null, null],
  ])('%s', (_, answer, names, labels) => {
    expect(readClasses(answer, names)).toEqual(labels)
  })
})

test('a completion is its text, without what was thought aloud', () => {
  const completion = (content: unknown) => ({ choices: [{ message: { role: 'assistant', content } }] })
  expect(readCompletion(completion(' math\n'))).toEqual([{ label: 'math', score: 1 }])
  expect(readCompletion(completion('<think>law or math?</think>\nmath'))).toEqual([{ label: 'math', score: 1 }])
  // Cut off while it thinks: what it has named so far is no answer.
  expect(readCompletion(completion('<think>this could be math'))).toBeNull()
  for (const answer of [completion(null), { choices: [] }, {}, null, 'math']) expect(readCompletion(answer)).toBeNull()
})
