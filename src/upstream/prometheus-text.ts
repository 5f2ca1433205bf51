// Reads samples out of Prometheus text, as far as a router needs it: values by name. Tolerant, since it reads what others
// wrote: a line that is no sample says nothing. One pass over the text, whatever is in it.

const QUOTE = 0x22
const BACKSLASH = 0x5c
const BRACE_OPEN = 0x7b
const BRACE_CLOSE = 0x7d

/** A decimal number as Prometheus and OpenMetrics write them; infinities and NaN apart. */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i

/**
 * The values of every sample whose name is `wanted`, by name, whatever its labels, in the order of the text. Timestamps and
 * exemplars are passed over.
 */
export function sampleValues(text: string, wanted: ReadonlySet<string>): ReadonlyMap<string, readonly number[]> {
  const values = new Map<string, number[]>()
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    const nameAt = skipBlanks(text, start, end)
    const nameEnd = endOfName(text, nameAt, end)
    const name = text.slice(nameAt, nameEnd)
    const value = wanted.has(name) ? readValue(text, nameEnd, end) : null
    if (value !== null) {
      const known = values.get(name)
      if (known === undefined) values.set(name, [value])
      else known.push(value)
    }
    start = end + 1
  }
  return values
}

function readValue(text: string, nameEnd: number, end: number): number | null {
  let at = skipBlanks(text, nameEnd, end)
  if (text.charCodeAt(at) === BRACE_OPEN && at < end) {
    at = endOfLabels(text, at, end)
    if (at === -1) return null
  } else if (at === nameEnd) {
    // Without labels a blank must stand between name and value.
    return null
  }
  at = skipBlanks(text, at, end)
  return toNumber(text.slice(at, endOfWord(text, at, end)))
}

function toNumber(word: string): number | null {
  if (DECIMAL.test(word)) return Number(word)
  const infinity = /^([+-]?)inf(?:inity)?$/i.exec(word)
  if (infinity !== null) return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return /^[+-]?nan$/i.test(word) ? Number.NaN : null
}

/** One past the brace that ends the labels; -1 when none does. Within quotes a brace is text, and so is `\"`. */
function endOfLabels(text: string, open: number, end: number): number {
  let isQuoted = false
  for (let at = open + 1; at < end; at += 1) {
    const code = text.charCodeAt(at)
    if (isQuoted && code === BACKSLASH) at += 1
    else if (code === QUOTE) isQuoted = !isQuoted
    else if (code === BRACE_CLOSE && !isQuoted) return at + 1
  }
  return -1
}

function endOfName(text: string, from: number, end: number): number {
  let at = from
  while (at < end && !isBlank(text.charCodeAt(at)) && text.charCodeAt(at) !== BRACE_OPEN) at += 1
  return at
}

function endOfWord(text: string, from: number, end: number): number {
  let at = from
  while (at < end && !isBlank(text.charCodeAt(at))) at += 1
  return at
}

function skipBlanks(text: string, from: number, end: number): number {
  let at = from
  while (at < end && isBlank(text.charCodeAt(at))) at += 1
  return at
}

/** Space, tab, and the carriage return of a line that ends in two characters. */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d
}
