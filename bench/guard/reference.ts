// Work of kinds that every part is made of, whose code never changes: what a machine makes of a part is held against what it
// makes of these at the same moment.

const TEXT = JSON.stringify({
  model: 'bench/model',
  messages: Array.from({ length: 8 }, (_, at) => ({
    role: at % 2 === 0 ? 'user' : 'assistant',
    content: `turn ${at}`,
  })),
  values: Array.from({ length: 40 }, (_, at) => at * 1.25),
})
const BYTES = new TextEncoder().encode(TEXT.repeat(12))
const KEYS = Array.from({ length: 64 }, (_, at) => `http://10.0.0.${at}:8000`)
const TABLE = new Map(KEYS.map((key, at) => [key, { weight: (at % 3) + 1, load: at % 7 }]))

/** Kept so that no compiler finds out that nobody wants what the loops find. */
let sink = 0

export const REFERENCES = {
  /** A text parsed and written. */
  json() {
    sink += JSON.stringify(JSON.parse(TEXT)).length
  },
  /** A byte after the other. */
  bytes() {
    let quotes = 0
    for (const byte of BYTES) if (byte === 0x22) quotes += 1
    sink += quotes
  },
  /** Small objects found in a table, compared and made anew. */
  lookups() {
    let best = { key: '', score: -1 }
    for (const key of KEYS) {
      const entry = TABLE.get(key)
      const score = entry === undefined ? 0 : entry.load / entry.weight
      if (score > best.score) best = { key, score }
    }
    sink += best.key.length
  },
} as const

export type ReferenceName = keyof typeof REFERENCES

export function sinkOf(): number {
  return sink
}
