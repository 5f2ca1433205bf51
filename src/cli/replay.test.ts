// `replay` over real files in this process: files and directories, what it prints, and what it exits with. The few things that take
// a process of its own are in test/scripts/replay.test.ts.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DecidedLog } from '../../test/support/decided-log.ts'
import {
  REPLAYED_REQUESTS as REQUESTS,
  replayedYaml as yaml,
  writeReplayFiles,
} from '../../test/support/replay-files.ts'
import type { Ran } from '../../test/support/run-command.ts'
import { replayOutputSchema } from '../replay/report-schema.ts'
import { createProcessHost } from '../runtime/process-host.ts'
import type { Host } from './host.ts'
import { replay as runReplayCommand } from './replay.ts'

const PLUGIN = fileURLToPath(new URL('../../test/fixtures/policies/prefer-label.ts', import.meta.url))

describe('replay', { timeout: 60_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'replay-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const path = (name: string) => join(directory, name)
  let log: DecidedLog

  beforeAll(async () => {
    log = await writeReplayFiles(directory, ['round_robin', 'least_load', 'consistent_hash'])
    writeFileSync(path('bad.yaml'), 'workers: [{url: nope}]\npolicy: nope\n')
    const half = REQUESTS / 2
    // As a router leaves them: one file put aside, one that is written to, the documents beside them.
    writeLog('export/decisions.20260801T093002Z-000001.jsonl', log.lines.slice(0, half))
    writeLog('export/decisions.jsonl', log.lines.slice(half))
    writeLog('decisions.jsonl', log.lines)
    writeLog('mixed/decisions.jsonl', log.lines)
    writeFileSync(path('mixed/old.jsonl.gz'), gzipSync(log.lines.join('\n')))
    writeFileSync(path('packed.jsonl.gz'), gzipSync(log.lines.join('\n')))
    for (const [hash, view] of log.views) {
      for (const views of ['export/decisions.jsonl.views', 'decisions.jsonl.views', 'elsewhere']) {
        mkdirSync(path(views), { recursive: true })
        writeFileSync(path(`${views}/${hash}.json`), `${JSON.stringify(view)}\n`)
      }
    }
  }, 60_000)

  function writeLog(name: string, lines: readonly string[]): void {
    mkdirSync(join(path(name), '..'), { recursive: true })
    writeFileSync(path(name), lines.map((line) => `${line}\n`).join(''))
  }

  /** Arguments that are names of files here stand for their paths. */
  async function replay(...args: readonly string[]): Promise<Ran> {
    let stdout = ''
    let stderr = ''
    const host: Host = {
      ...createProcessHost(),
      isErrorTerminal: false,
      writeOut: (text) => (stdout += text),
      writeError: (text) => (stderr += text),
    }
    const isFile = (at: number) =>
      ['--decisions', '--config', '--against', '--views', '--html'].includes(args[at - 1] ?? '')
    const code = await runReplayCommand(
      host,
      args.map((arg, at) => (isFile(at) ? path(arg) : arg)),
    )
    return { code, stdout: stdout.replaceAll(`${directory}/`, ''), stderr: stderr.replaceAll(`${directory}/`, '') }
  }

  async function reportOf(...args: readonly string[]) {
    const ran = await replay(...args, '--json')
    expect(ran.code, ran.stderr).toBe(0)
    const output = replayOutputSchema.parse(JSON.parse(ran.stdout))
    if ('reports' in output) throw new Error('several reports')
    return output
  }

  test.each([
    ['a file', ['--decisions', 'decisions.jsonl']],
    ['a file that was put aside', ['--decisions', 'export/decisions.20260801T093002Z-000001.jsonl']],
    ['a directory', ['--decisions', 'export']],
    ['documents elsewhere', ['--decisions', 'moved.jsonl', '--views', 'elsewhere']],
    ['no documents', ['--decisions', 'moved.jsonl']],
  ])('decides all of %s the same under the same configuration', async (_, args) => {
    copyFileSync(path('decisions.jsonl'), path('moved.jsonl'))
    const report = await reportOf(...args, '--config', 'round_robin.yaml')
    expect(report.total).toBe(args.includes('export/decisions.20260801T093002Z-000001.jsonl') ? REQUESTS / 2 : REQUESTS)
    expect(report).toMatchObject({ different: 0, not_comparable: 0, newly_refused: 0 })
    expect(report.same_configuration).toEqual({ records: report.same, different: 0 })
  })

  test('counts lines that are no record, and goes on', async () => {
    const [first = '', second = '', third = ''] = log.lines
    const broken = [first, 'what is this', '', '{"event":"config_changed"}', second, third.slice(0, 200)]
    writeFileSync(path('broken.jsonl'), broken.join('\n'))
    const report = await reportOf('--decisions', 'broken.jsonl', '--config', 'round_robin.yaml')
    expect(report.total).toBe(2)
    expect(report.lines).toMatchObject({ read: 6, blank: 1, unreadable: 3 })
    expect(report.lines.reasons[0]).toMatchObject({ count: 2, first: 'broken.jsonl:2' })
  })

  test('says of records of the Rust router why they can not be compared', async () => {
    const old = { timestamp: '2026-08-01T09:30:00.000Z', route: '/v1/chat/completions', status: 200, duration_ms: 5 }
    const lines = [
      { ...old, worker: 'http://a', schema_version: 3 },
      { ...old, method: 'cache-hit' },
    ]
    writeFileSync(path('rust.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    const report = await reportOf('--decisions', 'rust.jsonl', '--config', 'round_robin.yaml')
    expect(report).toMatchObject({ total: 2, not_comparable: 1, neither: 1 })
    expect(report.not_comparable_reasons[0]?.why).toBe('records of schema version 3 have no candidates')
  })

  test('compares several configurations, each with a report of its own', async () => {
    const configs = ['round_robin', 'least_load', 'consistent_hash'].flatMap((name) => ['--config', `${name}.yaml`])
    const ran = await replay('--decisions', 'export', ...configs, '--json')
    const output = replayOutputSchema.parse(JSON.parse(ran.stdout))
    expect('reports' in output && output.reports.map(({ configuration }) => configuration.name)).toEqual([
      'round_robin.yaml',
      'least_load.yaml',
      'consistent_hash.yaml',
    ])
    const text = await replay('--decisions', 'export', ...configs)
    expect(text.stdout).toMatch(/round_robin\.yaml +least_load\.yaml +consistent_hash\.yaml\n/)
  })

  test('compares two configurations with each other', async () => {
    const report = await reportOf(
      '--decisions',
      'export',
      '--config',
      'least_load.yaml',
      '--against',
      'least_load.yaml',
    )
    expect(report).toMatchObject({ different: 0, not_comparable: 0, against: { policy: 'least_load' } })
  })

  test('decides by policies of modules', async () => {
    writeFileSync(path('mine.yaml'), yaml('{type: prefer_label, label: tier, value: best}'))
    const report = await reportOf('--decisions', 'export', '--config', 'mine.yaml', '--plugin', PLUGIN)
    expect(report.configuration.policy).toBe('prefer_label')
    expect(report.after.hotspot).toBeGreaterThan(2)
  })

  test('writes a page', async () => {
    await replay('--decisions', 'export', '--config', 'least_load.yaml', '--html', 'report.html', '--by', 'hour')
    expect(readFileSync(path('report.html'), 'utf8')).toMatch(
      /^<!doctype html>[^]*With least_load instead of[^]*<\/html>\n$/,
    )
  })

  test.each([
    ['moved>0.01', 1],
    ['moved>1', 0],
    ['hotspot>100 or unreadable>0', 0],
  ])('exits by --fail-if %s', async (condition, code) => {
    const ran = await replay('--decisions', 'export', '--config', 'least_load.yaml', '--fail-if', condition)
    expect(ran.code).toBe(code)
    expect(ran.stderr).toContain(code === 0 ? '' : `(${condition})`)
  })

  test.each([
    ['no arguments', [], /--decisions is missing/],
    ['no configuration', ['--decisions', 'export'], /--config is missing/],
    [
      'a configuration with errors',
      ['--decisions', 'export', '--config', 'bad.yaml'],
      /bad\.yaml:1:\d+ error workers\[0\]\.url/,
    ],
    ['a configuration that is not there', ['--decisions', 'export', '--config', 'none.yaml'], /cannot read none\.yaml/],
    ['decisions that are not there', ['--decisions', 'none', '--config', 'least_load.yaml'], /cannot read none/],
    [
      'a file that is compressed',
      ['--decisions', 'packed.jsonl.gz', '--config', 'least_load.yaml'],
      /packed\.jsonl\.gz: it is compressed; unpack it first/,
    ],
    [
      'a directory with one that is',
      ['--decisions', 'mixed', '--config', 'least_load.yaml'],
      /old\.jsonl\.gz is compressed; unpack/,
    ],
    ['a directory without any', ['--decisions', 'elsewhere', '--config', 'least_load.yaml'], /no \.jsonl files/],
    [
      'a condition that is none',
      ['--decisions', 'export', '--config', 'least_load.yaml', '--fail-if', 'moves>1'],
      /known are moved/,
    ],
    [
      'a key that is none',
      ['--decisions', 'export', '--config', 'least_load.yaml', '--by', 'day'],
      /--by takes model, tenant, hour/,
    ],
    [
      'a size that is none',
      ['--decisions', 'export', '--config', 'least_load.yaml', '--cache-blocks', '0'],
      /whole number/,
    ],
    ['an argument nobody knows', ['--decision', 'export'], /unknown argument/],
  ])('exits with 2 for %s', async (_, args, message) => {
    const ran = await replay(...args)
    expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) })
  })

  test('explains itself', async () => {
    const ran = await replay('--help')
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('--fail-if') })
  })
})
