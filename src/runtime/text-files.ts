// Text files by node: modules that Node, Bun and Deno all have.

import { randomUUID } from 'node:crypto'
import { chmod, mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { TextFiles } from '../store/config-file.ts'

/** Configurations hold keys: what is written anew is for its owner alone. */
const PRIVATE_FILE = 0o600
const PRIVATE_DIRECTORY = 0o700

export function createTextFiles(): TextFiles {
  return {
    async read(path) {
      try {
        return await readFile(path, 'utf8')
      } catch (cause) {
        if (codeOf(cause) === 'ENOENT') return null
        throw new Error(`cannot read ${path} (${codeOf(cause)})`, { cause })
      }
    },
    async replace(path, text) {
      try {
        await replaceFile(path, text)
      } catch (cause) {
        throw new Error(`cannot write ${path} (${codeOf(cause)})`, { cause })
      }
    },
    remove: (path) => rm(path, { force: true }),
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: PRIVATE_DIRECTORY })
  // Through a link to the file itself: renamed onto the link, the new text would leave the old file behind.
  const target = await realpath(path).catch(() => path)
  const mode = await stat(target).then(
    (status) => status.mode & 0o777,
    () => PRIVATE_FILE,
  )
  const temporary = `${target}.${randomUUID()}.tmp`
  try {
    const file = await open(temporary, 'wx', PRIVATE_FILE)
    try {
      await file.writeFile(text)
      // On disk before it takes the old text's place, or a crash could leave neither.
      await file.sync()
    } finally {
      await file.close()
    }
    await chmod(temporary, mode)
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

export function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
}
