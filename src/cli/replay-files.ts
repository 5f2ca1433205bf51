// Where `replay` reads from: a file of an exported log, a directory with all of them, or standard input; and the view
// documents that lie beside them.

import { fromViewDocument, type SlowCandidate } from '../record/view-document.ts'
import { parseView } from '../store/view-files.ts'
import type { Host } from './host.ts'

type Files = Pick<Host, 'logFiles' | 'findFiles' | 'standardInput'>

/** A part of a log as it was read. */
export interface LogPart {
  /** The file, as messages call it. */
  readonly name: string
  readonly bytes: Uint8Array
}

export interface ReplayFiles {
  /** Of all parts together; null where nobody knows. */
  readonly bytes: number | null
  parts(): AsyncIterable<LogPart>
  /** The candidates of a view document; null when there is none of this hash. */
  findView(hash: string): Promise<readonly SlowCandidate[] | null>
}

const PART_BYTES = 1024 * 1024

const MAX_VIEW_BYTES = 16 * 1024 * 1024

/** Rejects with a readable message when there is nothing to read. */
export async function openReplayFiles(files: Files, path: string, viewDirectory: string | null): Promise<ReplayFiles> {
  const given = viewDirectory === null ? [] : [viewDirectory]
  if (path === '-') {
    return {
      bytes: null,
      parts: () => inputParts(files),
      findView: (hash) => readView(files, inEach(given, hash), hash),
    }
  }
  const inside = await files.findFiles(path)
  if (inside !== null) return openDirectory(files, path, inside, given)
  const bytes = await files.logFiles.size(path)
  if (bytes === null) throw new Error(`cannot read ${path}: there is no such file or directory`)
  const directories = [...given, ...viewDirectoriesOf(path)]
  return {
    bytes,
    parts: () => fileParts(files, path),
    findView: (hash) => readView(files, inEach(directories, hash), hash),
  }
}

async function openDirectory(
  files: Files,
  path: string,
  inside: readonly string[],
  given: readonly string[],
): Promise<ReplayFiles> {
  // The names of a log's files sort by time: those put aside, then the one that is written to.
  const logs = inside.filter((name) => name.endsWith('.jsonl')).sort()
  // Passing over it would make a report of a part of the log that looks like all of it.
  const packed = inside.find((name) => /\.jsonl\.(?:gz|zst|xz|bz2)$/.test(name))
  if (packed !== undefined) throw new Error(`cannot read ${path}: ${packed} is compressed; unpack it, or move it away`)
  if (logs.length === 0) throw new Error(`cannot read ${path}: the directory has no .jsonl files`)
  const views = new Map<string, string>()
  for (const name of inside) {
    const [, hash] = /(?:^|[/\\])([0-9a-f]{16})\.json$/.exec(name) ?? []
    if (hash !== undefined) views.set(hash, name)
  }
  const sizes = await Promise.all(logs.map((name) => files.logFiles.size(name)))
  return {
    bytes: sizes.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0),
    async *parts() {
      for (const name of logs) yield* fileParts(files, name)
    },
    findView: (hash) => {
      const found = views.get(hash)
      return readView(files, [...inEach(given, hash), ...(found === undefined ? [] : [found])], hash)
    },
  }
}

async function* inputParts({ standardInput }: Files): AsyncIterable<LogPart> {
  let isFirst = true
  for await (const bytes of standardInput()) {
    if (isFirst) refusePacked('-', bytes)
    isFirst = false
    yield { name: '-', bytes }
  }
}

async function* fileParts({ logFiles }: Files, path: string): AsyncIterable<LogPart> {
  const file = await logFiles.openRead(path)
  if (file === null) throw new Error(`cannot read ${path}: it is gone`)
  try {
    for (let from = 0; ; from += PART_BYTES) {
      const bytes = await file.read(from, PART_BYTES)
      if (from === 0) refusePacked(path, bytes)
      if (bytes.length > 0) yield { name: path, bytes }
      if (bytes.length < PART_BYTES) return
    }
  } finally {
    await file.close()
  }
}

/** Each of its lines would be counted as none, and nothing would say why. */
function refusePacked(name: string, [first, second]: Uint8Array): void {
  if (first !== 0x1f || second !== 0x8b) return
  throw new Error(`cannot read ${name}: it is compressed; unpack it first, as in \`zcat FILE | … --decisions -\``)
}

/** Where a router, or a copy of its bucket, has the documents of a log file. */
function viewDirectoriesOf(path: string): readonly string[] {
  const active = path.replace(/\.\d{8}T\d{6}Z-\d+\.jsonl$/, '.jsonl')
  const directory = path.slice(0, Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
  return [`${active}.views`, `${directory}views`, `${directory}../../views`]
}

function inEach(directories: readonly string[], hash: string): readonly string[] {
  return directories.map((directory) => `${directory}/${hash}.json`)
}

async function readView(
  { logFiles }: Files,
  paths: readonly string[],
  hash: string,
): Promise<readonly SlowCandidate[] | null> {
  if (!/^[0-9a-f]{16}$/.test(hash)) return null
  for (const path of paths) {
    const content = await logFiles.read(path, 0, MAX_VIEW_BYTES)
    const document = content === null ? null : parseView(new TextDecoder().decode(content), hash)
    if (document !== null) return fromViewDocument(document)
  }
  return null
}
