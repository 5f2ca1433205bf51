// "Did you mean": the known name closest to a mistyped one.
// Case, dashes and underscores don't count, so that `roundrobin` and `exposeRoutingHeaders` find their way.

/** The closest of `known`, or null when nothing is close enough to be worth proposing. */
export function nearest(word: string, known: Iterable<string>): string | null {
  if (word.length > 48) return null
  const wanted = normalise(word)
  // A third of the letters wrong is a different word; short words get one letter.
  const limit = Math.min(3, Math.max(1, Math.floor(wanted.length / 3)))
  let best: { name: string; distance: number } | null = null
  for (const name of known) {
    const distance = editDistance(wanted, normalise(name))
    if (distance <= limit && distance < (best?.distance ?? Infinity)) best = { name, distance }
  }
  return best?.name ?? null
}

/** `; did you mean x?`, or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const name = nearest(word, known)
  return name === null ? '' : `; did you mean ${name}?`
}

function normalise(word: string): string {
  return word.toLowerCase().replace(/[-_\s]/g, '')
}

/** Edits that turn one word into the other; two neighbours swapped count as one (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a[i - 1] === b[j - 1]
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      current[j] = Math.min(
        at(previous, j) + 1,
        at(current, j - 1) + 1,
        at(previous, j - 1) + (isSame ? 0 : 1),
        isSwapped ? at(beforePrevious, j - 2) + 1 : Infinity,
      )
    }
    beforePrevious = previous
    previous = current
  }
  return at(previous, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity
}
