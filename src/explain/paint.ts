// Colours of a terminal, or none.

export interface Paint {
  strong(text: string): string
  faint(text: string): string
  good(text: string): string
  bad(text: string): string
}

/** Leaves text as it is. */
export const PLAIN: Paint = { strong: same, faint: same, good: same, bad: same }

/** ANSI colours (ECMA-48, "SGR"). */
export const COLOURED: Paint = {
  strong: (text) => `\u001b[1m${text}\u001b[22m`,
  faint: (text) => `\u001b[2m${text}\u001b[22m`,
  good: (text) => `\u001b[32m${text}\u001b[39m`,
  bad: (text) => `\u001b[31m${text}\u001b[39m`,
}

function same(text: string): string {
  return text
}
