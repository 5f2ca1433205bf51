// Reads a command's flags: `--name value`, `--name=value`, switches, and repeats. What is not declared is an error.

export interface FlagSpec {
  /** `value` takes one argument, `list` may be given several times, `switch` takes none. */
  readonly kind: 'value' | 'list' | 'switch'
}

export interface Flags {
  value(name: string): string | null
  list(name: string): readonly string[]
  has(name: string): boolean
}

export type FlagResult = { readonly ok: true; readonly flags: Flags } | { readonly ok: false; readonly message: string }

export function parseFlags(args: readonly string[], specs: Readonly<Record<string, FlagSpec>>): FlagResult {
  const values = new Map<string, string[]>()
  const queue = [...args]
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    const match = /^--([a-z][a-z-]*)(?:=(.*))?$/s.exec(arg)
    const name = match?.[1]
    const spec = name !== undefined && Object.hasOwn(specs, name) ? specs[name] : undefined
    if (name === undefined || spec === undefined) return refuse(`unknown argument ${arg}`)
    const known = values.get(name) ?? []
    if (known.length > 0 && spec.kind !== 'list') return refuse(`--${name} is given twice`)
    if (spec.kind === 'switch') {
      if (match?.[2] !== undefined) return refuse(`--${name} takes no value`)
      values.set(name, ['true'])
      continue
    }
    const value = match?.[2] ?? queue.shift()
    if (value === undefined || value === '') return refuse(`--${name} wants a value`)
    values.set(name, [...known, value])
  }
  return {
    ok: true,
    flags: {
      value: (name) => values.get(name)?.[0] ?? null,
      list: (name) => values.get(name) ?? [],
      has: (name) => values.has(name),
    },
  }
}

function refuse(message: string): FlagResult {
  return { ok: false, message }
}
