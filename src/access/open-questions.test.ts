import { describe, expect, test } from 'vitest'
import { OpenQuestions } from './open-questions.ts'

describe('open questions', () => {
  test('are two about one key, and any number about others', () => {
    const questions = new OpenQuestions(1_000, 10)
    for (const nowMs of [0, 5]) {
      expect(questions.isFull('a', nowMs)).toBe(false)
      questions.begin('a', nowMs)
    }
    expect([questions.isFull('a', 5), questions.isFull('b', 5)]).toEqual([true, false])
    questions.end('a', 0)
    expect(questions.isFull('a', 6)).toBe(false)
  })

  test('end by themselves when nobody says so', () => {
    const questions = new OpenQuestions(1_000, 10)
    questions.begin('a', 0)
    questions.begin('a', 500)
    expect(questions.isFull('a', 1_000)).toBe(true)
    expect(questions.isFull('a', 1_001)).toBe(false)
  })

  test('that began at one moment end one by one', () => {
    const questions = new OpenQuestions(1_000, 10)
    for (let at = 0; at < 3; at += 1) questions.begin('a', 0)
    questions.end('a', 0)
    expect(questions.isFull('a', 0)).toBe(true)
    questions.end('a', 0)
    expect(questions.isFull('a', 0)).toBe(false)
  })

  test('of a flood of keys are forgotten, the oldest first', () => {
    const questions = new OpenQuestions(1_000, 2)
    for (const digest of ['a', 'a', 'b', 'c']) questions.begin(digest, 0)
    questions.begin('c', 0)
    expect(['a', 'c'].map((digest) => questions.isFull(digest, 0))).toEqual([false, true])
  })
})
