// CPU time and memory of processes and of the machine, from Linux's /proc. Elsewhere these figures are missing (NaN).

import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ, which Linux shows to programs as 100 on every architecture. */
const TICKS_PER_SECOND = 100

/** CPU seconds that a process and all its descendants have used, those that ended included. */
export function cpuSecondsOf(pid: number): number {
  const stats = treeOf(pid).map(statOf)
  if (stats.length === 0) return Number.NaN
  return stats.reduce((sum, stat) => sum + (stat?.ticks ?? 0), 0) / TICKS_PER_SECOND
}

/** The most memory that a process and its descendants have had resident, each at its own peak, in MiB. */
export function peakMemoryMb(pid: number): number {
  return sumOfStatus(pid, /^VmHWM:\s+(\d+)/m)
}

/** What a process and its descendants have resident now, in MiB. */
export function residentMemoryMb(pid: number): number {
  return sumOfStatus(pid, /^VmRSS:\s+(\d+)/m)
}

/** Of a line in kB, over the whole tree, in MiB. */
function sumOfStatus(pid: number, line: RegExp): number {
  const values = treeOf(pid).map((member) => Number(line.exec(read(`/proc/${member}/status`))?.[1] ?? 0))
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / 1_024
}

/** CPU seconds that the whole machine has spent working since it started. */
export function machineBusySeconds(): number {
  const fields = /^cpu +(.*)$/m.exec(read('/proc/stat'))?.[1]?.split(' ').map(Number)
  if (fields === undefined) return Number.NaN
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = fields
  return (user + nice + system + irq + softIrq + steal) / TICKS_PER_SECOND
}

/** The process and its descendants; empty where there is no /proc. */
export function treeOf(pid: number): readonly number[] {
  const childrenOf = new Map<number, number[]>()
  for (const name of list('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : null
    if (stat !== null) childrenOf.set(stat.parent, [...(childrenOf.get(stat.parent) ?? []), Number(name)])
  }
  const tree = statOf(pid) === null ? [] : [pid]
  for (const member of tree) tree.push(...(childrenOf.get(member) ?? []))
  return tree
}

function statOf(pid: number): { readonly parent: number; readonly ticks: number } | null {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === '') return null
  // The second field is the command in brackets, which may hold anything; count from behind it.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [, parent = 0] = fields
  return { parent, ticks: fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) }
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    // No such thing on this system.
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The process ended in the meantime, or there is no /proc.
    return ''
  }
}
