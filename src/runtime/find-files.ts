// Files below a directory, by node: modules that Node, Bun and Deno all have.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from './text-files.ts'

/** Paths of all of them, in no order; null for what is no directory. */
export async function findFiles(path: string): Promise<readonly string[] | null> {
  try {
    const entries = await readdir(path, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new Error(`cannot read ${path} (${code})`, { cause })
  }
}
