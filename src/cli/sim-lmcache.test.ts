// The table of flags and the options they set.

import { expect, test } from 'vitest'
import { DEFAULT_CONTROLLER_OPTIONS } from '../simulator/lmcache/controller-options.ts'
import { parseSimFlags } from './sim-flags.ts'
import { runSimLmcache, SIM_LMCACHE_FLAGS, toSimLmcacheHelp } from './sim-lmcache.ts'

test('flags set the options of the controller', () => {
  expect(parseSimFlags(SIM_LMCACHE_FLAGS, ['--lag-ms', '250', '--no-shows-key-count', '--wrong-schema'])).toEqual({
    lagMs: 250,
    showsKeyCount: false,
    wrongSchema: true,
  })
  expect(parseSimFlags(SIM_LMCACHE_FLAGS, ['--model', 'm'])).toBe('Unknown argument --model.')
})

test('help names every flag, and every option has one', () => {
  const help = toSimLmcacheHelp()
  for (const { name } of SIM_LMCACHE_FLAGS) expect(help).toContain(`  --${name} `)
  expect(new Set<string>(SIM_LMCACHE_FLAGS.map(({ option }) => option))).toEqual(
    new Set(Object.keys(DEFAULT_CONTROLLER_OPTIONS)),
  )
})

test('runs until stopped; wrong usage is 2', async () => {
  const lines: string[] = []
  const host = {
    start: async () => ({ url: 'http://127.0.0.1:9', close: async () => void lines.push('closed') }),
    printLine: (line: string) => void lines.push(line),
    printError: (line: string) => void lines.push(line),
    untilStopped: async () => void lines.push('stopped'),
  }
  expect(await runSimLmcache([], host)).toBe(0)
  expect(lines).toEqual(['listening on http://127.0.0.1:9', 'stopped', 'closed'])
  expect(await runSimLmcache(['--port', 'x'], host)).toBe(2)
  expect(lines.at(-1)).toContain('sim-lmcache --help')
})
