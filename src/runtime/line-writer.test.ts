import { describe, expect, test } from 'vitest'
import { QueuedLines } from './line-writer.ts'

type Done = (error: unknown, written: number) => void

/** A reader that takes what it is told to, and a clock that passes when it is told to. */
function rig() {
  const calls: { readonly text: string; readonly done: Done }[] = []
  const timers: (() => void)[] = []
  const lines = new QueuedLines({
    writeSome: (bytes, done) => void calls.push({ text: new TextDecoder().decode(bytes), done }),
    lostLine: (count) => `lost ${count}`,
    after: (_delayMs, task) => void timers.push(task),
  })
  const pass = () => {
    for (const task of timers.splice(0)) task()
  }
  const last = () => {
    const call = calls.at(-1)
    if (call === undefined) throw new Error('nothing was written')
    return call
  }
  const takeAll = () => last().done(null, last().text.length)
  return { lines, calls, pass, last, takeAll }
}

describe('lines', () => {
  test('of a while go out together', () => {
    const { lines, calls, pass, takeAll } = rig()
    for (const line of ['a', 'b', 'c']) lines.write(line)
    expect(calls).toEqual([])
    pass()
    takeAll()
    expect(calls.map(({ text }) => text)).toEqual(['a\nb\nc\n'])
  })

  test('wait while others are written, and are whole when a write is short', () => {
    const { lines, calls, pass, last, takeAll } = rig()
    lines.write('first')
    pass()
    lines.write('second')
    last().done(null, 2)
    expect(last().text).toBe('rst\n')
    takeAll()
    takeAll()
    expect(calls.map(({ text }) => text)).toEqual(['first\n', 'rst\n', 'second\n'])
  })

  test('are tried again when the pipe is full', () => {
    const { lines, calls, pass, last } = rig()
    lines.write('a')
    pass()
    last().done(Object.assign(new Error('full'), { code: 'EAGAIN' }), 0)
    expect(calls).toHaveLength(1)
    pass()
    expect(calls.map(({ text }) => text)).toEqual(['a\n', 'a\n'])
  })

  test('are lost and counted beyond a bound, and what was lost is told once somebody reads again', () => {
    const { lines, pass, last, takeAll } = rig()
    lines.write('a')
    pass()
    const long = 'x'.repeat(1024 * 1024)
    for (let at = 0; at < 20; at += 1) lines.write(long)
    takeAll()
    expect(last().text.length).toBeLessThanOrEqual(8 * (long.length + 1) + 20)
    expect(last().text.endsWith('\nlost 12\n')).toBe(true)
  })

  test('end nothing when whoever read them is gone', () => {
    const { lines, calls, pass, last } = rig()
    lines.write('a')
    pass()
    last().done(Object.assign(new Error('gone'), { code: 'EPIPE' }), 0)
    lines.write('b')
    pass()
    expect(calls).toHaveLength(1)
  })
})

describe('a flush', () => {
  test('ends when all is written, at once when nothing is left', async () => {
    const { lines, takeAll } = rig()
    await lines.flush()
    lines.write('a')
    const flushed = lines.flush()
    takeAll()
    await flushed
  })

  test('gives up on a reader that stands still', async () => {
    const { lines, pass } = rig()
    lines.write('a')
    const flushed = lines.flush()
    pass()
    await flushed
  })

  test('of a process that crashes writes what waits, unless a write is stuck', () => {
    const { lines, pass } = rig()
    const said: string[] = []
    const sayNow = (bytes: Uint8Array) => void said.push(new TextDecoder().decode(bytes))
    lines.write('a')
    lines.writeRest(sayNow)
    lines.write('b')
    pass()
    lines.write('c')
    lines.writeRest(sayNow)
    expect(said).toEqual(['a\n'])
  })
})
