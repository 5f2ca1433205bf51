// `--fail-if 'moved>0.2 or refused>0'`: conditions on a report that make the command fail. A value that there is not (a share
// of no requests) meets every condition: a check that could not look must not pass.

import type { ReplayOutput, ReplayReport } from './report-schema.ts'

type Lines = ReplayOutput['lines']

interface Value {
  readonly about: string
  of(report: ReplayReport, lines: Lines): number | null
}

const VALUES: Readonly<Record<string, Value>> = {
  moved: {
    about: 'share of the compared requests that go to another worker',
    of: (r) => share(r.different, compared(r)),
  },
  same: { about: 'share of the compared requests that stay', of: (r) => share(r.same, compared(r)) },
  refused: { about: 'share of the requests with a worker that get none', of: (r) => share(r.newly_refused, served(r)) },
  newly_served: { about: 'requests without a worker that get one', of: (r) => r.newly_served },
  no_worker: { about: 'share of the records without a worker before or after', of: (r) => share(r.no_worker, r.total) },
  not_comparable: {
    about: 'share of the records that are not comparable',
    of: (r) => share(r.not_comparable, r.total),
  },
  modelled: {
    about: 'share of the compared requests that took something for true',
    of: (r) => share(r.modelled.same + r.modelled.different, compared(r)),
  },
  hotspot: { about: 'largest share of a worker times workers, after', of: (r) => r.after.hotspot },
  hotspot_before: { about: 'the same, before', of: (r) => r.before.hotspot },
  cached: {
    about: 'share of the prompt tokens found in caches, after (modelled)',
    of: (r) => (r.prefix === null ? null : share(r.prefix.after.cached_tokens, r.prefix.after.tokens)),
  },
  cached_before: {
    about: 'the same, before (modelled)',
    of: (r) => (r.prefix === null ? null : share(r.prefix.before.cached_tokens, r.prefix.before.tokens)),
  },
  unreadable: { about: 'share of the lines that are no record', of: (_, l) => share(l.unreadable, l.read) },
  total: { about: 'records', of: (r) => r.total },
}

type Compare = (value: number, limit: number) => boolean

const OPERATORS: Readonly<Record<string, Compare>> = {
  '>=': (value, limit) => value >= limit,
  '<=': (value, limit) => value <= limit,
  '>': (value, limit) => value > limit,
  '<': (value, limit) => value < limit,
  '==': (value, limit) => value === limit,
  '!=': (value, limit) => value !== limit,
}

interface Test {
  readonly name: string
  readonly operator: string
  readonly limit: number
}

/** Met when every test of one of its parts is. */
export type FailIf = readonly (readonly Test[])[]

export type ParsedFailIf =
  | { readonly ok: true; readonly condition: FailIf }
  | { readonly ok: false; readonly message: string }

/** `NAME OPERATOR NUMBER`, joined by `and` and `or`; `and` binds more closely. A number may end in `%`. */
export function parseFailIf(text: string): ParsedFailIf {
  const condition: Test[][] = []
  for (const part of text.split(/\s+or\s+|\s*\|\|\s*/i)) {
    const tests: Test[] = []
    for (const one of part.split(/\s+and\s+|\s*&&\s*/i)) {
      const test = parseTest(one.trim())
      if (typeof test === 'string') return { ok: false, message: test }
      tests.push(test)
    }
    condition.push(tests)
  }
  return { ok: true, condition }
}

function parseTest(text: string): Test | string {
  const [, name = '', operator = '', number = '', percent = ''] =
    /^([a-z_]+)\s*(>=|<=|==|!=|>|<)\s*(\d+(?:\.\d+)?|\.\d+)\s*(%?)$/i.exec(text) ?? []
  if (name === '') return `\`${text}\` is no condition; write NAME>NUMBER, as in moved>0.2, joined by \`and\` or \`or\``
  if (!Object.hasOwn(VALUES, name)) return `there is no \`${name}\`; known are ${Object.keys(VALUES).join(', ')}`
  return { name, operator, limit: percent === '' ? Number(number) : Number(number) / 100 }
}

/** Which condition a report meets, in words; null when it meets none. */
export function whyFailed(condition: FailIf, report: ReplayReport, lines: Lines): string | null {
  const met = condition.find((tests) => tests.every((test) => holds(test, report, lines)))
  return met === undefined ? null : met.map((test) => describe(test, report, lines)).join(' and ')
}

function holds({ name, operator, limit }: Test, report: ReplayReport, lines: Lines): boolean {
  const value = VALUES[name]?.of(report, lines) ?? null
  return value === null || OPERATORS[operator]?.(value, limit) === true
}

function describe({ name, operator, limit }: Test, report: ReplayReport, lines: Lines): string {
  const value = VALUES[name]?.of(report, lines) ?? null
  const is = value === null ? 'can not be told' : `is ${Number(value.toFixed(4))}`
  return `${name} ${is} (${name}${operator}${limit})`
}

/** What conditions can be about, for a help text. */
export function failIfNames(): readonly { readonly name: string; readonly about: string }[] {
  return Object.entries(VALUES).map(([name, { about }]) => ({ name, about }))
}

function compared({ same, different }: ReplayReport): number {
  return same + different
}

function served({ same, different, newly_refused: refused }: ReplayReport): number {
  return same + different + refused
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}
