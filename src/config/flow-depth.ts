// How deep `[` and `{` are nested in a text, found out before it is parsed: the parser's time grows with the square of
// the depth (half a megabyte of `[` takes minutes), the lexer's doesn't.

import { Lexer } from 'yaml'

/** Offset of the bracket that goes deeper than `limit`, null when none does. */
export function tooDeepAt(text: string, limit: number): number | null {
  let depth = 0
  let offset = 0
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') depth += 1
    if (token === ']' || token === '}') depth = Math.max(0, depth - 1)
    if (depth > limit) return offset
    // Three control characters are the lexer's own marks and stand for no text; a byte order mark is one that does.
    if (token !== '\u0002' && token !== '\u0018' && token !== '\u001f') offset += token.length
  }
  return null
}
