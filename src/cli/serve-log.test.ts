import { expect, test } from 'vitest'
import { openServeLog } from './serve-log.ts'

const ENTRY = { time: '2026-11-21T14:36:05.123Z', level: 'error', event: 'defect', cause: 'why' } as const
const RED = '\u001b[31m'

interface Written {
  readonly format?: 'auto' | 'json' | 'text'
  readonly level?: 'info' | 'warn' | 'error'
}

function opened(
  isTerminal: boolean,
  env: Readonly<Record<string, string>>,
  { format = 'auto', level = 'info' }: Written = {},
) {
  const lines: string[] = []
  const host = {
    outTerminal: isTerminal ? { columns: 80 } : null,
    env: (name: string) => env[name],
    writeLine: (line: string) => void lines.push(line),
  }
  return { lines, log: openServeLog(host, () => ({ log: { level, format, sampleRatio: 1 } })) }
}

function written(isTerminal: boolean, env: Readonly<Record<string, string>>, format: Written['format'] = 'auto') {
  const { lines, log } = opened(isTerminal, env, { format })
  log.write(ENTRY)
  // What a Worker beside this process says looks the same.
  log.writeJson(JSON.stringify(ENTRY))
  expect(lines[1]).toBe(lines[0])
  return lines[0] ?? ''
}

test('people at a terminal read text, programs JSON', () => {
  expect(written(true, {})).toMatch(/^14:36:05\.123 .*defect cause=why$/)
  expect(JSON.parse(written(false, {}))).toEqual(ENTRY)
  expect(written(false, {}, 'text')).toBe('14:36:05.123 error defect cause=why')
  expect(JSON.parse(written(true, {}, 'json'))).toEqual(ENTRY)
})

test.each(['info', 'warn', 'error'] as const)('what a process tells of itself has a level: at %s', (level) => {
  const { lines, log } = opened(false, {}, { level })
  for (const of of ['info', 'warn', 'error'] as const) log.write({ ...ENTRY, level: of })
  const levels = lines.map((line) => JSON.parse(line).level)
  expect(levels).toEqual(['info', 'warn', 'error'].slice(-levels.length))
  expect(levels[0]).toBe(level)
})

test('colours are for terminals that want them', () => {
  expect(written(true, { NO_COLOR: '' })).toContain(RED)
  expect(written(true, { NO_COLOR: '1' })).not.toContain(RED)
  expect(written(true, { TERM: 'dumb' })).not.toContain(RED)
  expect(written(false, {}, 'text')).not.toContain(RED)
})
