// Checks of `pre_routing_hooks` that need more than one field: names that repeat, options that exclude each other,
// routes and headers that can't be had.

import { matchCovers } from '../routing/model-rules.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { errorAt, formatPath, type Path, type Problem } from './finding.ts'
import { HOOKABLE_PATHS, isHeaderName } from './http-values.ts'
import { didYouMean } from './nearest.ts'
import { show } from './explain.ts'

/** Set by the router on each call, or of the connection. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'traceparent',
  'transfer-encoding',
  'upgrade',
  'x-request-id',
])

type HookEntry = NonNullable<NonNullable<CrossCheckInput['file']['pre_routing_hooks']>[number]>

/** Checks every hook. */
export function checkHooks({ file }: CrossCheckInput): Problem[] {
  const opened = (file.passthrough_paths ?? []).filter((path) => path !== undefined)
  const routes = [...HOOKABLE_PATHS, ...opened]
  const hooks = file.pre_routing_hooks ?? []
  const names = hooks.map((hook) => hook?.name)
  return hooks.flatMap((hook, index) => {
    if (hook === undefined) return []
    const path = ['pre_routing_hooks', index]
    return [
      ...repeatedName(names, index, path),
      ...contradictions(hook, path),
      ...headerProblems(hook, path),
      ...unknownRoutes(hook, path, routes),
    ]
  })
}

function repeatedName(names: readonly (string | undefined)[], index: number, path: Path): Problem[] {
  const name = names[index]
  const first = names.indexOf(name)
  if (name === undefined || first === index) return []
  const where = formatPath(['pre_routing_hooks', first])
  return [
    errorAt(
      [...path, 'name'],
      `"${name}" already names ${where}; the header lists hooks by name, so each needs its own`,
    ),
  ]
}

function contradictions({ parallel, transform }: HookEntry, path: Path): Problem[] {
  if (parallel !== true || transform !== true) return []
  const message =
    'cannot be true beside transform: true: hooks that run side by side all see the same body, so none of them may change it'
  return [errorAt([...path, 'parallel'], message)]
}

function headerProblems({ headers, api_key: apiKey }: HookEntry, path: Path): Problem[] {
  const seen = new Set<string>()
  return Object.keys(headers ?? {}).flatMap((written) => {
    const name = written.toLowerCase()
    const isRepeated = seen.has(name)
    seen.add(name)
    const message = headerProblem(name, { isRepeated, hasKey: (apiKey ?? null) !== null })
    return message === null ? [] : [{ ...errorAt([...path, 'headers', written], message), atKey: true }]
  })
}

function headerProblem(name: string, { isRepeated, hasKey }: { isRepeated: boolean; hasKey: boolean }): string | null {
  if (!isHeaderName(name)) return 'is no header name; write it like x-team'
  if (isRepeated) return 'names the same header twice; case makes no difference in header names'
  if (OWN_HEADERS.has(name)) return 'is set by the router itself'
  return name === 'authorization' && hasKey ? 'is what api_key sets as well; keep one of the two' : null
}

// A pattern that matches nothing is a check that never runs, which nobody would notice.
function unknownRoutes({ routes }: HookEntry, path: Path, known: readonly string[]): Problem[] {
  return (routes ?? []).flatMap((route, index) => {
    if (route === undefined || known.some((name) => matchCovers(route, name))) return []
    return [errorAt([...path, 'routes', index], unknownRoute(route, known))]
  })
}

function unknownRoute(route: string, known: readonly string[]): string {
  const begin = route.endsWith('*') ? route.slice(0, -1) : null
  if ((begin ?? route).includes('*')) return 'may have a * at its end only, as in /v1/*'
  const list = `; routes: ${known.join(', ')}`
  if (begin !== null) return `no inference route begins with ${show(begin, false)}${list}`
  const hint = didYouMean(route, known)
  return `no inference route is called ${show(route, false)}${hint === '' ? list : hint}`
}
