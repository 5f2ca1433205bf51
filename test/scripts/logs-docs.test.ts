// docs/logs.md says what the log really has: every event and field of the source is there, and nothing else.

import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { LOG_VARIABLES } from '../../src/config/log-schema.ts'
import { LOG_EVENTS } from '../../src/log-events.ts'
import { ALL_SPAN_NAMES } from '../../src/tracing/span-names.ts'
import { fullRecord } from '../support/full-record.ts'
import { toRequestEntry } from '../../src/observe/log/request-entry.ts'
import type { Exchange } from '../../src/pipeline/exchange.ts'
import { freePort, until } from '../support/launch.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/logs.md'), 'utf8')
const [aboutLog = '', aboutSlow = ''] = page.split('# Reading a slow request')

/** The words in the first columns of a section's tables. */
function wordsOf(text: string, heading: string): readonly string[] {
  const [, section = ''] = text.split(`## ${heading}`)
  const rows = section.split('\n## ')[0]?.match(/^\| `[^|]*\|/gm) ?? []
  return rows.flatMap((row) => [...row.matchAll(/`([a-z_]+)`/g)].map(([, word = '']) => word))
}

test('every event is on the page, and the table has no other', () => {
  const told = wordsOf(aboutLog, 'Changes of state')
  const ofRequests = ['request', 'decision']
  for (const event of ofRequests) expect(aboutLog).toContain(`"event":"${event}"`)
  expect([...told].sort()).toEqual(LOG_EVENTS.filter((event) => !ofRequests.includes(event)).sort())
})

test('every field of a request is in the table, and the table has no other', () => {
  const exchange = { worker: { id: 'a', config: { id: 'a' } }, config: { workerDisplay: 'auto', workers: [] } }
  const tracing = { isRecorded: true, isSampled: true, traceId: 't' }
  const entry = toRequestEntry(fullRecord, { ...exchange, tracing } as unknown as Exchange, {
    level: 'info',
    sampleRatio: 1,
  })
  const told = wordsOf(aboutLog, 'A request').filter((word) => !['error', 'warn', 'info', 'debug'].includes(word))
  const { time: _time, level: _level, event: _event, error: _error, ...fields } = entry
  expect(Object.keys(fields).filter((field) => !told.includes(field))).toEqual([])
  expect(told.filter((word) => !(word in entry) && word !== 'unlogged')).toEqual([])
  // The example is a line as it is written.
  const [example = ''] = page.match(/^\{"time".*$/m) ?? []
  expect(Object.keys(JSON.parse(example)).filter((field) => !(field in entry))).toEqual([])
})

test('the variables and spans it names are those there are', () => {
  for (const name of Object.values(LOG_VARIABLES)) expect(page).toContain(name)
  const spans: readonly string[] = ALL_SPAN_NAMES
  const named = [...aboutSlow.matchAll(/\b((?:hook|hooks|routing|worker|lmcache|embedding|cache|signals)\.[a-z_]+)\b/g)]
  const files = named.map(([, name = '']) => name).filter((name) => !name.endsWith('.md'))
  expect(new Set(files).size).toBeGreaterThan(4)
  expect(files.filter((name) => !spans.includes(name))).toEqual([])
})

test('what jq is told to look for is found', async () => {
  if (spawnSync('jq', ['--version']).status !== 0) return
  const [, filter = ''] = /jq -c '([^']+)'/.exec(page) ?? []
  const [example = ''] = page.match(/^\{"time".*$/m) ?? []
  const { stdout } = spawnSync('jq', ['-c', filter], { input: example, encoding: 'utf8' })
  expect(JSON.parse(stdout)).toEqual([2756, 'gpu-1', 2, 'c3dd1389194af242fbfc8d2bc8e4231f'])
})

test('a terminal shows text, warnings first', { timeout: 60_000 }, async (context) => {
  if (spawnSync('script', ['--version']).status !== 0) context.skip('there is no `script` to make a terminal with')
  const directory = await mkdtemp(join(tmpdir(), 'vllm-edge-router-terminal-'))
  try {
    const path = join(directory, 'config.yaml')
    // The first key is of the Rust router, and tells of itself.
    await writeFile(path, 'log_dir: /var/log\nworkers: [{id: a, url: "http://127.0.0.1:9"}]\n')
    const shown = await inTerminal(path)
    expect(shown).toMatch(/warning log_dir/)
    expect(shown).toMatch(/\d\d:\d\d:\d\d\.\d{3} info {2}started url=http:\S+ .*warnings=1/)
    expect(shown).toContain('\u001b[33mwarn ')
    expect(shown).not.toContain('{"time"')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

/** What a terminal shows of a router that meets a worker which is not there. */
async function inTerminal(path: string): Promise<string> {
  const port = await freePort()
  const command = `exec ${process.execPath} ${join(root, 'bin/vllm-edge-router.js')} serve --config ${path} --port ${port}`
  let shown = ''
  const child = execFile('script', ['-qec', command, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '' },
  })
  child.stdout?.on('data', (text: string) => (shown += text))
  await until(
    () => shown.includes(' started '),
    30_000,
    () => `nothing started:\n${shown}`,
  )
  const chat = { method: 'POST', body: '{"model":"m","messages":[]}', headers: { 'content-type': 'application/json' } }
  await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, chat)
  await until(
    () => /\bworker worker=a/.test(shown),
    20_000,
    () => `the worker is not told of:\n${shown}`,
  )
  const ended = new Promise((resolve) => child.once('exit', resolve))
  // Ctrl-C at that terminal.
  child.stdin?.write('\u0003')
  await ended
  return shown
}
