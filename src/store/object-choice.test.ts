import { expect, test } from 'vitest'
import { ObjectChoice } from './object-choice.ts'

const items = (...ids: readonly string[]) => ids.map((id) => ({ id }))
const named = (groups: ReadonlyMap<number, readonly { readonly id: string }[]>) =>
  [...groups].map(([object, own]) => [object, ...own.map(({ id }) => id)])

function createChoice(index = 7, count = 8): ObjectChoice {
  return new ObjectChoice(() => ({ index, count }))
}

test('all goes to one object', () => {
  const choice = createChoice()
  expect(named(choice.group(items('a', 'b'), 0))).toEqual([[7, 'a', 'b']])
  expect(named(choice.group([], 0))).toEqual([])
})

test('after a failure what comes goes to the next object, what the first may have goes there again', () => {
  const choice = createChoice()
  choice.asked(7, items('a', 'b'), 0)
  choice.failed(7)
  expect(named(choice.group(items('a', 'b', 'c'), 0))).toEqual([
    [7, 'a', 'b'],
    [0, 'c'],
  ])
  // It fails again: that says nothing of the object that has come after it.
  choice.failed(7)
  choice.taken(0, items('c'))
  expect(named(choice.group(items('d'), 0))).toEqual([[0, 'd']])
  choice.taken(7, items('a', 'b'))
  expect(named(choice.group(items('a'), 0))).toEqual([[0, 'a']])
})

test('an object that does not answer is left', () => {
  const choice = createChoice(2)
  choice.asked(2, items('a'), 1_000)
  choice.asked(2, items('b'), 8_000)
  expect(named(choice.group(items('c'), 11_000))).toEqual([[2, 'c']])
  expect(named(choice.group(items('a', 'c'), 11_001))).toEqual([
    [2, 'a'],
    [3, 'c'],
  ])
})

test('an object that was told of a request gets its record', () => {
  let index = 2
  const choice = new ObjectChoice(() => ({ index, count: 8 }))
  choice.bind(2, items('long'))
  index = 3
  expect(named(choice.group(items('short', 'long'), 0))).toEqual([
    [3, 'short'],
    [2, 'long'],
  ])
})

test('a request that is told of again and again is not the one that is forgotten', () => {
  const choice = createChoice(2)
  choice.bind(3, items('long'))
  for (let n = 0; n < 12_000; n += 1) {
    choice.bind(3, items(`id${n}`))
    if (n === 6_000) choice.bind(3, items('long'))
  }
  expect(named(choice.group(items('long'), 0))).toEqual([[3, 'long']])
})

test('does not remember requests without end', () => {
  const choice = createChoice()
  for (let n = 0; n < 20_000; n += 1) choice.bind(3, items(`id${n}`))
  const groups = choice.group(
    Array.from({ length: 20_000 }, (_, n) => ({ id: `id${n}` })),
    0,
  )
  expect(groups.get(3)).toHaveLength(10_000)
})
