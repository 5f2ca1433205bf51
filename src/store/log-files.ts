// What a log needs of a file system. `runtime/` fulfils it where there is one.

/** Each call rejects with a message that names the file and the reason, such as `cannot write /log/a.jsonl (ENOSPC)`. */
export interface LogFiles {
  /** Opens a file to add to its end. Makes it, and its directory, when they are missing. */
  openAppend(path: string): Promise<AppendFile>
  /** Opens a file to read in it, whatever it is called meanwhile; null when there is no such file. */
  openRead(path: string): Promise<ReadFile | null>
  /** The same for one look: fewer bytes where the file ends before. */
  read(path: string, from: number, length: number): Promise<Uint8Array | null>
  /** In bytes; null when there is no such file. */
  size(path: string): Promise<number | null>
  /** The files of a directory; none when there is no such directory. */
  list(directory: string): Promise<readonly FileEntry[]>
  /** Whoever reads meanwhile finds the old content or the new one, whole. Makes the directory. */
  replace(path: string, content: Uint8Array): Promise<void>
  /** Makes an empty file, unless there is one: only one of many who claim a name gets it. */
  claim(path: string): Promise<boolean>
  rename(from: string, to: string): Promise<void>
  /** Does nothing when there is no such file. */
  remove(path: string): Promise<void>
}

export interface FileEntry {
  readonly name: string
  readonly bytes: number
  readonly modifiedAtMs: number
}

/** A file that is open for reading. */
export interface ReadFile {
  /** Fewer bytes where the file ends before. */
  read(from: number, length: number): Promise<Uint8Array>
  close(): Promise<void>
}

/** A file that is open for writing. */
export interface AppendFile {
  size(): Promise<number>
  /** Adds to the end. When it rejects, a part may have been written. */
  append(content: Uint8Array): Promise<void>
  /** Cuts off what comes after so many bytes. */
  truncate(bytes: number): Promise<void>
  /** Resolves once everything written is on the disk. */
  sync(): Promise<void>
  /** Its size where its path still leads to it; null when somebody has moved or deleted the file. */
  sizeInPlace(): Promise<number | null>
  close(): Promise<void>
}
