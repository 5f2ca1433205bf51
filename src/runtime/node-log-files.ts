// Files of a log by node: modules that Node, Bun and Deno all have.

import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { AppendFile, FileEntry, LogFiles, ReadFile } from '../store/log-files.ts'
import { codeOf } from './text-files.ts'

/** A log may hold what callers wrote, where that is switched on: for its owner, and a group that collects it. */
const LOG_FILE = 0o640
const LOG_DIRECTORY = 0o750

export function createLogFiles(): LogFiles {
  return {
    openAppend: (path) => told(`cannot write ${path}`, () => openAppend(path)),
    openRead: (path) => told(`cannot read ${path}`, () => openRead(path)),
    read: (path, from, length) => told(`cannot read ${path}`, () => readPart(path, from, length)),
    size: (path) => told(`cannot read ${path}`, async () => (await unlessMissing(stat(path)))?.size ?? null),
    list: (directory) => told(`cannot read ${directory}`, () => list(directory)),
    replace: (path, content) => told(`cannot write ${path}`, () => replace(path, content)),
    claim: (path) => told(`cannot write ${path}`, () => claim(path)),
    rename: (from, to) => told(`cannot rename ${from}`, () => renameOnDisk(from, to)),
    remove: (path) => told(`cannot delete ${path}`, () => rm(path, { force: true })),
  }
}

async function openAppend(path: string): Promise<AppendFile> {
  await mkdir(dirname(path), { recursive: true, mode: LOG_DIRECTORY })
  const isNew = (await unlessMissing(stat(path))) === null
  const handle = await open(path, 'a', LOG_FILE)
  if (isNew) await syncDirectory(dirname(path))
  return {
    size: () => told(`cannot read ${path}`, async () => (await handle.stat()).size),
    // `writeFile` on a handle goes on after a short write, and adds to the end of a file that was opened to append.
    append: (content) => told(`cannot write ${path}`, () => handle.writeFile(content)),
    truncate: (bytes) => told(`cannot write ${path}`, () => handle.truncate(bytes)),
    sync: () => told(`cannot write ${path}`, () => handle.datasync()),
    sizeInPlace: () => told(`cannot read ${path}`, () => sizeInPlace(handle, path)),
    close: () => handle.close(),
  }
}

async function openRead(path: string): Promise<ReadFile | null> {
  const handle = await unlessMissing(open(path, 'r'))
  if (handle === null) return null
  return {
    read: (from, length) => told(`cannot read ${path}`, () => readAt(handle, from, length)),
    close: () => handle.close(),
  }
}

async function readPart(path: string, from: number, length: number): Promise<Uint8Array | null> {
  const handle = await unlessMissing(open(path, 'r'))
  if (handle === null) return null
  try {
    const { size } = await handle.stat()
    return await readAt(handle, from, Math.max(0, Math.min(length, size - from)))
  } finally {
    await handle.close()
  }
}

async function readAt(handle: FileHandle, from: number, length: number): Promise<Uint8Array> {
  const content = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(content, filled, length - filled, from + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return content.subarray(0, filled)
}

async function list(directory: string): Promise<readonly FileEntry[]> {
  const names = (await unlessMissing(readdir(directory))) ?? []
  const entries = await Promise.all(
    names.map(async (name): Promise<FileEntry[]> => {
      const status = await unlessMissing(stat(join(directory, name)))
      return status?.isFile() === true ? [{ name, bytes: status.size, modifiedAtMs: status.mtimeMs }] : []
    }),
  )
  return entries.flat()
}

async function replace(path: string, content: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: LOG_DIRECTORY })
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const handle = await open(temporary, 'wx', LOG_FILE)
    try {
      await handle.writeFile(content)
      await handle.datasync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function claim(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx', LOG_FILE)).close()
    return true
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return false
    throw cause
  }
}

async function renameOnDisk(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncDirectory(dirname(to))
}

/** A new name survives a crash only when its directory is on disk. Not every system can do that, or needs it. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => null)
  if (handle === null) return
  await handle.sync().catch(() => {})
  await handle.close()
}

async function sizeInPlace(handle: FileHandle, path: string): Promise<number | null> {
  const [there, ours] = await Promise.all([unlessMissing(stat(path)), handle.stat()])
  return there !== null && there.ino === ours.ino && there.dev === ours.dev ? ours.size : null
}

async function unlessMissing<Value>(promise: Promise<Value>): Promise<Value | null> {
  try {
    return await promise
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null
    throw cause
  }
}

async function told<Value>(what: string, task: () => Promise<Value>): Promise<Value> {
  try {
    return await task()
  } catch (cause) {
    throw new Error(`${what} (${codeOf(cause)})`, { cause })
  }
}
