// The decision records of a router's log, which comes in pieces. Suites ask hundreds of times of a log of megabytes: each
// line is looked at once, and parsed when somebody asks.

export interface RecordReader {
  /** The next piece of the log, which may end anywhere. */
  read(text: string): void
  /** All so far. */
  records(): readonly Record<string, unknown>[]
}

export function createRecordReader(): RecordReader {
  let unfinished = ''
  const unparsed: string[] = []
  const records: Record<string, unknown>[] = []
  return {
    read(text) {
      const lines = (unfinished + text).split('\n')
      unfinished = lines.pop() ?? ''
      unparsed.push(...lines.filter((line) => line.includes('"event":"decision"') && line.endsWith('}')))
    },
    records() {
      for (const line of unparsed.splice(0)) records.push(JSON.parse(line.slice(line.indexOf('{'))))
      return [...records]
    },
  }
}
