// Log lines go out together, once per turn of the event loop: a write call per request would be most of its cost.

export interface LineWriter {
  write(line: string): void
}

export function createLineWriter(writeText: (text: string) => void): LineWriter {
  let waiting: string[] = []
  function flush(): void {
    const lines = waiting
    waiting = []
    if (lines.length > 0) writeText(`${lines.join('\n')}\n`)
  }
  // What a last turn did not write is written on the way out.
  process.once('exit', flush)
  return {
    write(line) {
      if (waiting.length === 0) setImmediate(flush)
      waiting.push(line)
    },
  }
}
