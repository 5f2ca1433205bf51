// docs/explain.md says what the code does: its first page is what the command prints of the record that docs/records.md
// shows, its examples run, and its answer has the fields it says.

import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { viewDocumentSchema } from '../../src/record/view-document.ts'
import { runCommand } from '../support/run-command.ts'
import { liveFleet } from '../support/live-fleet.ts'

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const read = (name: string) => readFileSync(path(name), 'utf8')
const page = read('docs/explain.md')
const blocksOf = (text: string, kind: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${kind}\n([^]*?)^\`\`\`$`, 'gm'))].map(([, block = '']) => block)
const KEY = 'documented-0123456789'

const directory = mkdtempSync(join(tmpdir(), 'explain-docs-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** The record of docs/records.md and its document, as a log has them. */
function writeLog(): void {
  const [record, document] = blocksOf(read('docs/records.md'), 'json').map((json): unknown => JSON.parse(json))
  const view = viewDocumentSchema.parse(document)
  writeFileSync(join(directory, 'decisions.jsonl'), `${JSON.stringify(record)}\n`)
  mkdirSync(join(directory, 'decisions.jsonl.views'))
  writeFileSync(join(directory, 'decisions.jsonl.views', `${view.view_hash}.json`), JSON.stringify(view))
}

beforeAll(writeLog)

const [fromLog = '', ...others] = blocksOf(page, 'sh')

test('the first page is what the command prints', async () => {
  const [program, ...args] = fromLog.trim().split(/\s+/)
  expect(program).toBe('vllm-edge-router')
  const { stdout, stderr, code } = await runCommand(args, directory)
  expect([stderr, code]).toEqual(['', 0])
  expect(stdout).toBe(blocksOf(page, 'text')[0])
})

test('README shows lines of it', () => {
  const [shown = ''] = blocksOf(read('README.md'), 'console').filter((block) => block.includes('explain'))
  const lines = shown.trim().split('\n').slice(1)
  const said = (blocksOf(page, 'text')[0] ?? '').replaceAll('\n  ', ' ')
  expect(lines.length).toBeGreaterThan(3)
  expect(lines.filter((line) => !said.includes(line.replace(/ …$/, '')))).toEqual([])
})

describe('the examples', () => {
  const fleet = liveFleet('node', {
    workers: { one: { models: ['org/large'] }, two: { models: ['org/large'] }, small: { models: ['org/small'] } },
    config: (urls) => ({
      workers: [
        { id: 'gpu-0', url: urls.one, weight: 2 },
        { id: 'gpu-1', url: urls.two },
        { id: 'small', url: urls.small },
      ],
      policy: 'least_load',
      model_rules: [{ match: 'auto', rewrite: 'org/large' }],
      admin_api_key: KEY,
    }),
  })

  /** Runs a block in a shell that has the command. */
  async function run(block: string): Promise<string> {
    const bin = join(directory, 'bin')
    mkdirSync(bin, { recursive: true })
    const command = join(bin, 'vllm-edge-router')
    writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${path('bin/vllm-edge-router.js')}' "$@"\n`)
    chmodSync(command, 0o755)
    writeFileSync(
      join(directory, 'router.yaml'),
      'workers:\n  - {id: gpu-0, url: "http://a.test", models: [auto]}\n  - {id: gpu-1, url: "http://b.test"}\n',
    )
    const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, ROUTER: fleet.url, ROUTER_ADMIN_KEY: KEY }
    const { stdout } = await promisify(execFile)('bash', ['-ec', block], { env, cwd: directory })
    return stdout
  }

  test('of a decision that was made', async () => {
    const out = await run(others[0] ?? '')
    expect(out).toMatch(/"why_not": \{\s+"worker": "small",\s+"sentences": \[\s+"`small` was left out, `wrong_model`/)
    expect(out).toContain('The model `auto` matches the model rule `auto`, which led to `org/large`.')
    expect(out).toContain('Candidates\n  worker ')
  })

  test('of a request that might be made: over HTTP, and the answer’s fields', async () => {
    const answer = JSON.parse(await run(others[1] ?? ''))
    expect(answer.sentences[0]).toMatch(/^This request would go to `gpu-[01]` by policy `least_load`\.$/)
    const [documented = '{}'] = blocksOf(page, 'json')
    const fields = Object.keys(JSON.parse(documented))
    const given = Object.keys(answer).filter((name) => name !== 'dry_run')
    expect(given.toSorted()).toEqual(fields.toSorted())
    const [row] = JSON.parse(documented).table.rows
    expect(Object.keys(answer.table.rows[0])).toEqual(Object.keys(row))
    expect(Object.keys(answer.table.rows[0].seen)).toEqual(Object.keys(row.seen))
  })

  test('of a request that might be made: by the command', async () => {
    const out = await run(others[2] ?? '')
    expect(out.match(/"This request would go to `gpu-[01]`/g)).toHaveLength(2)
    expect(out).toContain('It lists no models for `gpu-1`')
    expect(fleet.calls().length).toBeLessThanOrEqual(1)
  })

  test('every block has a test', () => expect(others).toHaveLength(3))
})
