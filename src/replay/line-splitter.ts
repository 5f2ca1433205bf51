// Bytes of a log as lines, however they were cut into parts.

import { MAX_LINE_LENGTH } from '../record/read-record.ts'

export class LineSplitter {
  readonly #decoder = new TextDecoder()
  #rest = ''

  /** The lines that end in this part. */
  push(bytes: Uint8Array): readonly string[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n')
    // One unit too many is as good as a gigabyte: either is refused.
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE_LENGTH + 1)
    return lines
  }

  /** What is left behind the last line feed; a line that a crash cut off stands there. Null for nothing. */
  end(): string | null {
    const last = this.#rest + this.#decoder.decode()
    this.#rest = ''
    return last === '' ? null : last
  }
}
