import { expect, test } from 'vitest'
import { Progress } from './progress.ts'

function watched(isShown: boolean, totalBytes: number | null) {
  let nowMs = 0
  let written = ''
  const progress = new Progress({ isShown, totalBytes, now: () => nowMs, write: (text) => (written += text) })
  return {
    progress,
    at(ms: number) {
      nowMs = ms
      return progress
    },
    taken() {
      const text = written
      written = ''
      return text
    },
  }
}

test('short work needs no word', () => {
  const { progress, at, taken } = watched(true, 100)
  at(600).update(90, 9)
  progress.clear()
  expect(taken()).toBe('')
})

test('long work has a bar, ten times a second at most, that goes away', () => {
  const { progress, at, taken } = watched(true, 200)
  at(1_000).update(50, 4_000)
  expect(taken()).toBe('\r\u001B[K[########......................]  25 %  4000 records, 4000/s')
  at(1_050).update(60, 4_100)
  expect(taken()).toBe('')
  at(2_000).update(200, 10_000)
  expect(taken()).toContain('100 %  10000 records, 5000/s')
  progress.clear()
  expect(taken()).toBe('\r\u001B[K')
})

test('without an end there is no bar', () => {
  const { at, taken } = watched(true, null)
  at(1_000).update(50, 10)
  expect(taken()).toBe('\r\u001B[K10 records, 10/s')
})

test('where nobody watches nothing is written', () => {
  const { progress, at, taken } = watched(false, 200)
  at(5_000).update(50, 10)
  progress.clear()
  expect(taken()).toBe('')
})
