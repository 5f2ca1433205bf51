// `${NAME}` and `${NAME:-default}` in the values of a configuration. Works on parsed data, so that no value of the
// environment can change the structure of the file.

import { errorAt, pathKey, type Path, type Problem } from './finding.ts'

// `$${` first: it is how a literal `${` is written. What follows `${` up to `}` is judged by PLACEHOLDER.
const OCCURRENCE = /\$\$\{|\$\{([^}]*)(\}?)/g
const PLACEHOLDER = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s
const WHOLE = /^\$\{[^}]*\}$/

export interface Interpolated {
  /** A copy of the data, placeholders replaced. */
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** Keys (`pathKey`) of the values that were one placeholder and nothing else. */
  readonly wholes: ReadonlySet<string>
}

export interface Variables {
  /** Reads the environment. */
  env(name: string): string | undefined
  /** The only names that may be asked for; null for any. */
  readonly names: readonly string[] | null
}

/** Replaces every placeholder; one that can't be replaced is a problem and leaves an `undefined` value behind. */
export function interpolate(tree: unknown, variables: Variables): Interpolated {
  const problems: Problem[] = []
  const wholes = new Set<string>()

  const visit = (value: unknown, path: Path): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => visit(item, [...path, index]))
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...path, key])]))
    }
    if (typeof value !== 'string' || !value.includes('${')) return value
    if (WHOLE.test(value)) wholes.add(pathKey(path))
    const found = replacePlaceholders(value, variables)
    problems.push(...found.problems.map((message) => errorAt(path, message)))
    return found.problems.length > 0 ? undefined : found.text
  }

  return { value: visit(tree, []), problems, wholes }
}

function replacePlaceholders(text: string, { env, names }: Variables): { text: string; problems: string[] } {
  const problems: string[] = []
  const replaced = text.replace(
    OCCURRENCE,
    (occurrence: string, inner: string | undefined, end: string | undefined) => {
      if (occurrence === '$${') return '${'
      const [, name, fallback] = (end === '}' && PLACEHOLDER.exec(inner ?? '')) || []
      if (name === undefined) {
        problems.push('has a ${ that is no placeholder; write ${NAME} or ${NAME:-default}, or $${ for a literal ${')
        return ''
      }
      // Even with a default: it would hide that the variable was asked for, until a start that may read it.
      if (names !== null && !names.includes(name)) {
        problems.push(`asks for the environment variable ${name}, which config_env of the running configuration lacks`)
        return ''
      }
      const value = env(name)
      // As in a shell, `:-` also stands in for a variable that is set to nothing.
      if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
      if (value === undefined) {
        problems.push(`the environment variable ${name} is not set; set it, or give a default: \${${name}:-default}`)
      }
      return value ?? ''
    },
  )
  return { text: replaced, problems }
}

const INTEGER = /^[-+]?[0-9]+$/
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/

/** Reads a text as YAML's core schema reads a plain scalar: a number, a boolean or nothing, else the text itself. */
export function readAsPlainScalar(text: string): string | number | boolean | null {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return null
  if (/^(?:true|True|TRUE)$/.test(text)) return true
  if (/^(?:false|False|FALSE)$/.test(text)) return false
  if (/^0o[0-7]+$|^0x[0-9a-fA-F]+$/.test(text) || INTEGER.test(text) || FLOAT.test(text)) return Number(text)
  return text
}
