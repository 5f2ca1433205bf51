// `node bench/hot-functions.ts FILE-OR-FOLDER [--top N] [--under NAME]`: the functions that took most time of their own
// in the newest CPU profile, by function and by module.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
}

interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** No work: what the process did when it had nothing to do. */
const IDLE = new Set(['(idle)', '(root)'])

function newestProfile(path: string): string {
  if (!statSync(path).isDirectory()) return path
  const files = readdirSync(path).filter((name) => name.endsWith('.cpuprofile'))
  const newest = files.map((name) => join(path, name)).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0]
  if (newest === undefined) throw new Error(`${path} has no .cpuprofile`)
  return newest
}

function selfTimes({ samples, timeDeltas }: Profile): Map<number, number> {
  const times = new Map<number, number>()
  samples.forEach((id, at) => times.set(id, (times.get(id) ?? 0) + (timeDeltas[at] ?? 0)))
  return times
}

/** Time of a function with everything it called, recursion counted once. */
function totalTimes(profile: Profile, selfOf: ReadonlyMap<number, number>): Map<string, number> {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const totals = new Map<string, number>()
  function visit(node: ProfileNode, above: ReadonlySet<string>): number {
    const name = nameOf(node)
    const below = above.has(name) ? above : new Set([...above, name])
    let time = selfOf.get(node.id) ?? 0
    for (const id of node.children ?? []) {
      const child = byId.get(id)
      if (child !== undefined) time += visit(child, below)
    }
    if (!above.has(name)) totals.set(name, (totals.get(name) ?? 0) + time)
    return time
  }
  const [root] = profile.nodes
  if (root !== undefined) visit(root, new Set())
  return totals
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const place = url === '' ? '' : ` ${moduleOf(url)}:${lineNumber + 1}`
  return `${functionName === '' ? '(anonymous)' : functionName}${place}`
}

function moduleOf(url: string): string {
  return url
    .replace(/^file:\/\//, '')
    .replace(/^.*\/node_modules\//, '')
    .replace(/^.*\/(src|bench)\//, '$1/')
}

function print(title: string, times: ReadonlyMap<string, number>, whole: number, top: number): void {
  process.stdout.write(`\n${title}\n`)
  const ranked = [...times].filter(([name]) => !IDLE.has(name)).sort(([, a], [, b]) => b - a)
  for (const [name, time] of ranked.slice(0, top)) {
    process.stdout.write(`${((time / whole) * 100).toFixed(1).padStart(6)} %  ${name}\n`)
  }
}

const { values, positionals } = parseArgs({
  options: { top: { type: 'string', default: '25' } },
  allowPositionals: true,
})
const file = newestProfile(positionals[0] ?? '.')
const profile: Profile = JSON.parse(readFileSync(file, 'utf8'))
const self = selfTimes(profile)
const byFunction = new Map<string, number>()
const byModule = new Map<string, number>()
let whole = 0
for (const node of profile.nodes) {
  const time = self.get(node.id) ?? 0
  if (IDLE.has(node.callFrame.functionName)) continue
  whole += time
  const module = node.callFrame.url === '' ? node.callFrame.functionName : moduleOf(node.callFrame.url)
  byFunction.set(nameOf(node), (byFunction.get(nameOf(node)) ?? 0) + time)
  byModule.set(module, (byModule.get(module) ?? 0) + time)
}
const top = Number(values.top)
process.stdout.write(`${file}: ${(whole / 1e6).toFixed(2)} s of work\n`)
print('own time, by function', byFunction, whole, top)
print('own time, by module', byModule, whole, top)
print('with everything called', totalTimes(profile, self), whole, top * 2)
