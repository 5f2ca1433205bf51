// Real files on a disk that fails when a test says so.

import type { AppendFile, LogFiles } from '../../src/store/log-files.ts'
import { createLogFiles } from '../../src/runtime/node-log-files.ts'

export interface FaultyDisk {
  readonly files: LogFiles
  /** What every write fails with; null when none does. */
  writeFault: string | null
  /** How many bytes of a write that fails reach the file all the same. */
  bytesBeforeFault: number
  syncFault: string | null
  openFault: string | null
  renameFault: string | null
  /** Writes that neither succeed nor fail. */
  hangs: boolean
  /** What each call waits for before it begins. */
  writeGate: Promise<void>
  syncGate: Promise<void>
  renameGate: Promise<void>
  /** Calls that succeeded, by name. */
  readonly calls: Map<string, number>
}

export function createFaultyDisk(): FaultyDisk {
  const real = createLogFiles()
  const fail = (fault: string | null, what: string) => {
    if (fault !== null) throw new Error(`cannot ${what} (${fault})`)
  }
  const count = (name: string) => disk.calls.set(name, (disk.calls.get(name) ?? 0) + 1)
  const disk: FaultyDisk = {
    writeFault: null,
    bytesBeforeFault: 0,
    syncFault: null,
    openFault: null,
    renameFault: null,
    hangs: false,
    writeGate: Promise.resolve(),
    syncGate: Promise.resolve(),
    renameGate: Promise.resolve(),
    calls: new Map(),
    files: {
      ...real,
      async openAppend(path) {
        fail(disk.openFault, `write ${path}`)
        return faulty(await real.openAppend(path), path)
      },
      async rename(from, to) {
        await disk.renameGate
        fail(disk.renameFault, `rename ${from}`)
        await real.rename(from, to)
        count('rename')
      },
      async replace(path, content) {
        fail(disk.writeFault, `write ${path}`)
        await real.replace(path, content)
        count('replace')
      },
    },
  }
  function faulty(file: AppendFile, path: string): AppendFile {
    return {
      ...file,
      async append(content) {
        if (disk.hangs) await new Promise(() => {})
        await disk.writeGate
        const { writeFault, bytesBeforeFault } = disk
        if (writeFault !== null) await file.append(content.subarray(0, bytesBeforeFault))
        fail(writeFault, `write ${path}`)
        await file.append(content)
        count('append')
      },
      async sync() {
        await disk.syncGate
        fail(disk.syncFault, `write ${path}`)
        await file.sync()
        count('sync')
      },
    }
  }
  return disk
}
