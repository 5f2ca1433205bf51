// Pages name files that are there: a link leads somewhere, and a file in backquotes is one of this tree.

import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where the tree has files that pages speak of. */
const FOLDERS = ['.github', 'bench', 'bin', 'configs', 'docs', 'monitoring', 'scripts', 'src', 'test']

const inFolder = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.includes('node_modules'))
    .map((path) => posix.join(folder, path))

const atTop = readdirSync(root)
const tree = [...atTop, ...FOLDERS.filter((folder) => atTop.includes(folder)).flatMap(inFolder)]
const isThere = new Set(tree)

const pages = tree.filter((path) => path.endsWith('.md') && path !== 'CHANGELOG.md')

const read = (page: string) => readFileSync(join(root, page), 'utf8')

test.each(pages)('links of %s lead somewhere', (page) => {
  const targets = [...read(page).matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)].map(([, target = '']) => target)
  const missing = targets.filter((target) => !isThere.has(posix.join(posix.dirname(page), target).replace(/\/$/, '')))
  expect(missing).toEqual([])
})

test.each(pages)('files that %s names exist', (page) => {
  const names = [...read(page).matchAll(/`([\w./*-]+)`/g)].map(([, name = '']) => name).filter(isSource)
  expect(names.filter((name) => !isInTree(name))).toEqual([])
})

/** Of this tree by its folder, or a source by its name alone; other names may be those of a user's files. */
function isSource(name: string): boolean {
  const isBelow = FOLDERS.some((folder) => name.startsWith(`${folder}/`))
  return isBelow ? /\.\w+$|\/$/.test(name) : /^[\w./-]+\.ts$/.test(name)
}

/** Pages leave out folders that a reader knows by then, and write `*` for several files. */
function isInTree(name: string): boolean {
  const pattern = name.replace(/\/$/, '').replaceAll('.', '\\.').replaceAll('*', '[^/]*')
  const named = new RegExp(`^(.*/)?${pattern}$`)
  return tree.some((path) => named.test(path))
}
