// Labels as servers give them, against the names that rules use. Compared as people write them: `Computer Science`,
// `computer_science` and `computer-science` are one.

export interface ScoredLabel {
  readonly label: string
  readonly score: number
}

/** What published classifiers call the labels of fixed families. */
const ALIASES: Readonly<Record<string, string>> = {
  'fact check needed': 'needs fact check',
  sat: 'satisfied',
}

export function foldedLabel(label: string): string {
  const folded = label
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
  return Object.hasOwn(ALIASES, folded) ? (ALIASES[folded] ?? folded) : folded
}

/** The best score among the labels that a name stands for; 0 when none is given. */
export function scoreOf(labels: readonly ScoredLabel[], names: readonly string[]): number {
  const wanted = new Set(names.map(foldedLabel))
  return labels.reduce((best, { label, score }) => (wanted.has(foldedLabel(label)) ? Math.max(best, score) : best), 0)
}

/**
 * Which of the labels a chat model's answer names: all of it, a member of the JSON object in it, or the only one that
 * occurs. Null when it names none, or several.
 */
export function namedLabel(answer: string, labels: readonly string[]): string | null {
  const words = foldedLabel(statedIn(answer) ?? answer)
  const exact = labels.find((label) => foldedLabel(label) === words)
  if (exact !== undefined) return exact
  const within = labels.filter((label) => holds(words, label)).toSorted((one, other) => other.length - one.length)
  const [longest] = within
  if (longest === undefined) return null
  // A label may hold another as a part: that one counts only when it stands elsewhere, too.
  const rest = ` ${words} `.replaceAll(` ${foldedLabel(longest)} `, '  ')
  return within.slice(1).some((label) => holds(rest, label)) ? null : longest
}

function holds(words: string, label: string): boolean {
  return ` ${words} `.includes(` ${foldedLabel(label)} `)
}

function statedIn(answer: string): string | null {
  const json = /\{[^{}]*\}/.exec(answer)?.[0]
  if (json === undefined) return null
  try {
    const value = JSON.parse(json) as Readonly<Record<string, unknown>> // braces make it an object
    const stated = value['route'] ?? value['label'] ?? value['category']
    return typeof stated === 'string' ? stated : null
  } catch {
    // Braces of prose.
    return null
  }
}
