// One place for each combination of a name and label values, and no other for the same.

import { expect, test } from 'vitest'
import { LabelTree } from './label-tree.ts'

test('the same words find the same place, others another', () => {
  const tree = new LabelTree<number>()
  tree.slot('requests', ['a', 'b']).value = 1
  tree.slot('requests', ['a']).value = 2
  tree.slot('requests', []).value = 3
  expect(tree.slot('requests', ['a', 'b']).value).toBe(1)
  expect(tree.slot('requests', ['a']).value).toBe(2)
  expect(tree.slot('requests', []).value).toBe(3)
  expect(tree.slot('requests', ['ab']).value).toBeNull()
  expect(tree.slot('requests', ['b', 'a']).value).toBeNull()
  expect(tree.slot('attempts', ['a', 'b']).value).toBeNull()
})
