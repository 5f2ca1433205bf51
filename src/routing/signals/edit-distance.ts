// How many letters tell two words apart, as far as it matters.

/**
 * Whether `word` becomes `wanted` by at most `limit` letters put in, left out or exchanged; two neighbours swapped count
 * as one (optimal string alignment).
 */
export function isWithinDistance(word: readonly string[], wanted: readonly string[], limit: number): boolean {
  const width = wanted.length
  if (Math.abs(word.length - width) > limit) return false
  const beyond = limit + 1
  // Further from the diagonal than the limit nothing can come back within it, so only a band is worked out.
  let beforePrevious = Array.from({ length: width + 1 }, () => beyond)
  let current = Array.from({ length: width + 1 }, () => beyond)
  let previous = Array.from({ length: width + 1 }, (_, index) => Math.min(index, beyond))
  let previousLeast = 0
  for (let row = 1; row <= word.length; row += 1) {
    const letter = word[row - 1]
    const from = Math.max(1, row - limit)
    const to = Math.min(width, row + limit)
    current[from - 1] = from === 1 ? Math.min(row, beyond) : beyond
    let least = current[from - 1] ?? beyond
    for (let column = from; column <= to; column += 1) {
      let cost = (previous[column - 1] ?? beyond) + (letter === wanted[column - 1] ? 0 : 1)
      cost = Math.min(cost, (previous[column] ?? beyond) + 1, (current[column - 1] ?? beyond) + 1)
      const isSwapped = row > 1 && column > 1 && letter === wanted[column - 2] && word[row - 2] === wanted[column - 1]
      if (isSwapped) cost = Math.min(cost, (beforePrevious[column - 2] ?? beyond) + 1)
      current[column] = Math.min(cost, beyond)
      least = Math.min(least, cost)
    }
    if (to < width) current[to + 1] = beyond
    if (least > limit && previousLeast > limit) return false
    previousLeast = least
    const free = beforePrevious
    beforePrevious = previous
    previous = current
    current = free
  }
  return (previous[width] ?? beyond) <= limit
}

/** What is let pass where a rule does not say: `agent` is two letters from `urgent`, and is not a misspelling of it. */
export function usualDistance(letters: number): number {
  if (letters <= 3) return 0
  return letters <= 7 ? 1 : 2
}

/** Longer ones are found as they stand: nobody mistypes a page, and it would be compared at every word of a text. */
export const LONGEST_FUZZY = { letters: 64, words: 8 }

/** Most of a word has to be right, whatever a rule says. */
export function largestDistance(letters: number): number {
  return Math.max(0, Math.floor((letters - 1) / 2))
}
