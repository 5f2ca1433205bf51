// Files on a real disk: taken whole, with their mode, through links, and left alone when writing fails.

import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTextFiles } from './text-files.ts'

const files = createTextFiles()
let folder = ''
let path = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'text-files-'))
  path = join(folder, 'config.yaml')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const modeOf = async (of: string) => (await stat(of)).mode & 0o777

test('a file that is not there is null', async () => {
  expect(await files.read(path)).toBeNull()
  await files.remove(path)
})

test('a new file, and the folder it makes, are for their owner alone', async () => {
  const inside = join(folder, 'config.yaml.versions', 'a.yaml')
  await files.replace(inside, 'a')
  expect(await files.read(inside)).toBe('a')
  expect([await modeOf(inside), await modeOf(join(folder, 'config.yaml.versions'))]).toEqual([0o600, 0o700])
})

test('a file keeps its mode, and nothing is left beside it', async () => {
  await writeFile(path, 'old')
  await chmod(path, 0o644)
  await files.replace(path, 'new')
  expect([await files.read(path), await modeOf(path)]).toEqual(['new', 0o644])
  expect(await readdir(folder)).toEqual(['config.yaml'])
})

test('a link stays a link', async () => {
  const target = join(folder, 'real.yaml')
  await writeFile(target, 'old')
  await symlink(target, path)
  await files.replace(path, 'new')
  expect(await readFile(target, 'utf8')).toBe('new')
  expect(await readFile(path, 'utf8')).toBe('new')
  await files.replace(path, 'newer')
  expect(await readFile(target, 'utf8')).toBe('newer')
})

test('readers see the old text or the new one, never a part', async () => {
  const texts = ['a', 'b'].map((letter) => letter.repeat(200_000))
  await files.replace(path, texts[0] ?? '')
  let isDone = false
  async function reader(): Promise<number> {
    let count = 0
    for (; !isDone; count += 1) expect(texts).toContain(await files.read(path))
    return count
  }
  const readers = Promise.all([reader(), reader()])
  for (let at = 0; at < 30; at += 1) await files.replace(path, texts[at % 2] ?? '')
  isDone = true
  expect(Math.min(...(await readers))).toBeGreaterThan(0)
})

test('says what can not be done, and leaves nothing behind', async () => {
  await writeFile(path, 'a file')
  await expect(files.replace(join(path, 'inside.yaml'), 'x')).rejects.toThrow(
    /cannot write .*inside\.yaml \((?:ENOTDIR|EEXIST)\)/,
  )
  await expect(files.read(folder)).rejects.toThrow(/cannot read .* \(EISDIR\)/)
  await expect(files.replace(folder, 'x')).rejects.toThrow(/cannot write/)
  expect(await readdir(folder)).toEqual(['config.yaml'])
})
