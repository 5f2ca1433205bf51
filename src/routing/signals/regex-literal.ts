// Letters that stand in a row in every match of an expression. A text without them is done with at once, which is what most
// texts are to most expressions of a list.

import type { RegexNode } from './regex-parse.ts'

export interface RequiredLiteral {
  /** In lower case where either case matches. */
  readonly text: string
  readonly isFolded: boolean
}

/** The longest there is; null for an expression that can do without any. */
export function requiredLiteral(node: RegexNode): RequiredLiteral | null {
  const runs = runsIn(node)
  return runs.reduce<RequiredLiteral | null>((longest, run) => {
    return run.text.length > (longest?.text.length ?? 0) ? run : longest
  }, null)
}

function runsIn(node: RegexNode): readonly RequiredLiteral[] {
  switch (node.kind) {
    case 'character':
      return node.set.letter === undefined ? [] : [node.set.letter]
    case 'all':
      return joined(node.parts)
    case 'repeat':
      return node.least > 0 ? runsIn(node.part) : []
    case 'assertion':
    case 'any':
      return []
  }
}

/** Letters side by side are one run; whatever else comes in between ends it. */
function joined(parts: readonly RegexNode[]): readonly RequiredLiteral[] {
  const runs: RequiredLiteral[] = []
  let isRunOn = false
  for (const part of parts) {
    const letter = part.kind === 'character' ? part.set.letter : undefined
    if (letter === undefined) {
      runs.push(...runsIn(part))
    } else {
      const before = isRunOn ? (runs.pop()?.text ?? '') : ''
      runs.push({ text: before + letter.text, isFolded: letter.isFolded })
    }
    isRunOn = letter !== undefined
  }
  return runs
}
