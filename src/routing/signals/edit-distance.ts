// How many letters tell two words apart, as far as it matters.

/**
 * Whether `word` becomes `wanted` by at most `limit` letters put in, left out or exchanged; two neighbours swapped count
 * as one (optimal string alignment).
 */
export function isWithinDistance(word: readonly string[], wanted: readonly string[], limit: number): boolean {
  if (Math.abs(word.length - wanted.length) > limit) return false
  let beforePrevious: readonly number[] = []
  let previous: readonly number[] = Array.from({ length: wanted.length + 1 }, (_, index) => index)
  for (let row = 1; row <= word.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= wanted.length; column += 1) {
      const isSame = word[row - 1] === wanted[column - 1]
      const isSwapped =
        row > 1 && column > 1 && word[row - 1] === wanted[column - 2] && word[row - 2] === wanted[column - 1]
      current[column] = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (isSame ? 0 : 1),
        isSwapped ? at(beforePrevious, column - 2) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    if (Math.min(...current) > limit && Math.min(...previous) > limit) return false
    beforePrevious = previous
    previous = current
  }
  return at(previous, wanted.length) <= limit
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}

/** What is let pass where a rule does not say: `agent` is two letters from `urgent`, and is not a misspelling of it. */
export function usualDistance(letters: number): number {
  if (letters <= 3) return 0
  return letters <= 7 ? 1 : 2
}

/** Most of a word has to be right, whatever a rule says. */
export function largestDistance(letters: number): number {
  return Math.max(0, Math.floor((letters - 1) / 2))
}
