// Imports point one way: the folder list of ARCHITECTURE.md, as a test.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('.', import.meta.url))

/** What each folder may import besides itself, and what anybody may. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  access: [],
  config: ['access', 'routing'],
  routing: [],
  dialect: ['errors'],
  record: ['config', 'errors', 'routing'],
  capture: ['config', 'dialect', 'record'],
  explain: ['config', 'record', 'routing'],
  limits: [],
  replay: ['access', 'config', 'record', 'routing'],
  store: ['capture', 'config', 'limits', 'record', 'routing'],
  tracing: [],
  cache: ['access', 'config', 'platform.ts', 'store'],
  upstream: ['config', 'errors', 'platform.ts', 'store', 'tracing'],
  pipeline: [
    'access',
    'cache',
    'capture',
    'config',
    'dialect',
    'errors',
    'limits',
    'platform.ts',
    'record',
    'routing',
    'store',
    'tracing',
    'upstream',
  ],
  control: ['access', 'config', 'errors', 'pipeline', 'store'],
  middleware: ['access', 'capture', 'config', 'control', 'dialect', 'errors', 'pipeline', 'platform.ts'],
  routes: [
    'access',
    'cache',
    'capture',
    'config',
    'control',
    'dialect',
    'errors',
    'explain',
    'middleware',
    'pipeline',
    'replay',
    'record',
    'store',
    'upstream',
    'version.ts',
  ],
  observe: ['capture', 'config', 'control', 'pipeline', 'platform.ts', 'record', 'store', 'tracing', 'version.ts'],
  simulator: [],
  cli: [
    'capture',
    'config',
    'control',
    'errors',
    'explain',
    'observe',
    'offline-router.ts',
    'platform.ts',
    'record',
    'replay',
    'routing',
    'server.ts',
    'simulator',
    'store',
    'version.ts',
  ],
}

/** Leaves that import nothing. */
const ANYBODYS: ReadonlySet<string> = new Set(['log-events.ts', 'secret.ts'])

interface Import {
  readonly file: string
  readonly from: string
  readonly to: string
}

function sourceFiles(): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !path.endsWith('.test.ts'),
  )
}

/** A path's folder below src/, or the file itself when it lies in src/. */
function place(path: string): string {
  return path.split('/', 1)[0] ?? path
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, target = '']) => ({
    file,
    from: place(file),
    to: place(relative(root, join(root, dirname(file), target))),
  }))
}

const all = sourceFiles().flatMap(importsOf)

describe('imports', () => {
  test.each(Object.entries(MAY_IMPORT))('%s imports only what lies below it', (folder, allowed) => {
    const isForeign = (to: string) => to !== folder && !ANYBODYS.has(to) && !allowed.includes(to)
    const foreign = all.filter(({ from, to }) => from === folder && isForeign(to))
    expect(foreign).toEqual([])
  })

  test('nothing outside runtime/ imports from it', () => {
    expect(all.filter(({ from, to }) => to === 'runtime' && from !== 'runtime')).toEqual([])
  })

  test('hono ends in the HTTP surface', () => {
    const users = sourceFiles().filter((file) => /from 'hono/.test(readFileSync(join(root, file), 'utf8')))
    expect(new Set(users.map(place))).toEqual(new Set(['app.ts', 'middleware', 'routes']))
  })

  test('what formats records and reports is built by whoever asks for it, and by no router that starts', () => {
    const schemas = new Set(['record/schema.ts', 'replay/report-schema.ts'].map((path) => join(root, path)))
    const builders = sourceFiles().filter((file) => {
      const text = readFileSync(join(root, file), 'utf8')
      const loaded = [...text.matchAll(/^(?:import|export) (?!type\b)[^']*? from '(\.[^']+)'/gm)]
      return loaded.some(([, target = '']) => schemas.has(join(root, dirname(file), target)))
    })
    expect(builders).toEqual(['index.ts'])
  })

  test('no source outside runtime/ uses a module of Node', () => {
    const users = sourceFiles().filter((file) => /from 'node:/.test(readFileSync(join(root, file), 'utf8')))
    expect(users.filter((file) => place(file) !== 'runtime')).toEqual([])
  })
})
