// What the loader has to say about a file: the shape of a finding, and how a path into the file is written.
// Knows neither YAML nor zod.

export type Severity = 'error' | 'warning' | 'note'

/** Where something stands in the configuration: keys of maps and indexes of lists, from the top. */
export type Path = readonly (string | number)[]

/** One thing to tell the operator. */
export interface Finding {
  readonly severity: Severity
  /** Such as `workers[1].url`; empty for the file as a whole. */
  readonly path: string
  /** From 1; null when the finding has no place in the text. */
  readonly line: number | null
  readonly column: number | null
  /** What is wrong, the value unless it is a secret, what is allowed and what may have been meant. */
  readonly message: string
}

/** A finding before its place in the text is known. */
export interface Problem {
  readonly severity: Severity
  readonly path: Path
  readonly message: string
  /** Points at the key instead of its value, as for a key that should not be there. */
  readonly atKey?: boolean
}

/** The problem most checks report: an error at a value. */
export function errorAt(path: Path, message: string): Problem {
  return { severity: 'error', path, message }
}

/** The problem of something that works, but hardly as meant. */
export function warningAt(path: Path, message: string): Problem {
  return { severity: 'warning', path, message }
}

/** Writes a path the way operators know it: `workers[1].labels.zone`, `worker_api_keys["http://a:8000"]`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') return `${text}[${segment}]`
    if (!/^[\w-]{1,64}$/.test(segment)) return `${text}[${JSON.stringify(shorten(withoutUserInfo(segment)))}]`
    return text === '' ? segment : `${text}.${segment}`
  }, '')
}

/** Identifies a path in sets and maps. */
export function pathKey(path: Path): string {
  return JSON.stringify(path)
}

/** Hides `user:password@` of anything that looks like a URL: it is a secret wherever it was written. */
export function withoutUserInfo(text: string): string {
  return text.replace(/(\/\/)[^/?#\s]*@/g, '$1***@')
}

/** Keeps messages readable when a value is not. */
export function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`
}

/** Orders findings by place; those without one come first, as they concern the whole file. */
export function byPlace(a: Finding, b: Finding): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0) || (a.path < b.path ? -1 : 1)
}
