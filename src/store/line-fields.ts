// Single fields of a record's line, found without parsing the line. Lines are written without spaces, and inside a text
// every quote has a backslash before it, so a name in quotes with a colon behind it is a name.

import type { DecisionFilters } from './decision-log.ts'

/** The first field of this name that holds text; null when there is none. */
export function textField(line: string, name: string): string | null {
  const start = `"${name}":"`
  const at = line.indexOf(start)
  if (at === -1) return null
  const from = at + start.length
  const end = line.indexOf('"', from)
  const text = end === -1 ? null : line.slice(from, end)
  return text === null || !text.includes('\\') ? text : unescaped(line, from - 1)
}

export function hasField(line: string, name: string): boolean {
  return line.includes(`"${name}":`)
}

/** False when the line surely holds no record that these filters want; true says nothing. */
export function mayMatch(
  { worker, model, tenant, policy, method, decision, sessionId }: DecisionFilters,
  line: string,
) {
  if (worker !== undefined && !line.includes(JSON.stringify(worker).slice(0, -1))) return false
  return [model, tenant, policy, method, decision, sessionId].every(
    (wanted) => wanted === undefined || line.includes(JSON.stringify(wanted)),
  )
}

/** The text that begins at this quote. */
function unescaped(line: string, quoteAt: number): string | null {
  const [quoted = ''] = /"(?:[^"\\]|\\.)*"/.exec(line.slice(quoteAt)) ?? []
  try {
    const text: unknown = JSON.parse(quoted)
    return typeof text === 'string' ? text : null
  } catch {
    return null
  }
}
