import { describe, expect, test } from 'vitest'
import { gatherLines } from './gathered-lines.ts'

function gathered() {
  const written: string[] = []
  const soon: (() => void)[] = []
  let nowMs = 0
  const write = gatherLines({
    write: (lines) => void written.push(lines),
    now: () => nowMs,
    soon: (task) => void soon.push(task),
  })
  return {
    write,
    written,
    /** Calls what was to be called soon, and says how much that was. */
    passMoment: () => soon.splice(0).map((task) => task()).length,
    /** As when the request that a timer belongs to has ended. */
    forget: () => soon.splice(0).length,
    wait: (ms: number) => void (nowMs += ms),
  }
}

describe('lines that wait for each other', () => {
  test('leave together, in order, after one moment', () => {
    const { write, written, passMoment } = gathered()
    write('a', 'info')
    write('b', 'debug')
    expect(written).toEqual([])
    expect(passMoment()).toBe(1)
    expect(written).toEqual(['a\nb'])
    write('c', 'info')
    expect(passMoment()).toBe(1)
    expect(written).toEqual(['a\nb', 'c'])
  })

  test.each(['warn', 'error'] as const)('do not wait where the level is %s, nor do those before it', (level) => {
    const { write, written, passMoment } = gathered()
    write('a', 'info')
    write('b', level)
    expect(written).toEqual(['a\nb'])
    passMoment()
    expect(written).toHaveLength(1)
  })

  test('go with the next line when nobody came back for them', () => {
    const { write, written, forget, wait } = gathered()
    write('a', 'info')
    expect(forget()).toBe(1)
    wait(50)
    write('b', 'info')
    expect(written).toEqual([])
    wait(51)
    write('c', 'info')
    expect(written).toEqual(['a\nb\nc'])
  })

  test('are no more than fit', () => {
    const { write, written } = gathered()
    const line = 'x'.repeat(40_000)
    write(line, 'info')
    write(line, 'info')
    expect(written).toEqual([`${line}\n${line}`])
  })
})
