// What of a router's processes is looked at while it runs, and what a series of looks says.

import { readdirSync, readlinkSync } from 'node:fs'
import { residentMemoryMb, treeOf } from '../proc.ts'

export interface Sample {
  readonly atSeconds: number
  readonly memoryMb: number
  readonly fileDescriptors: number
  readonly sockets: number
  /** Leases: requests that have a worker, as the router says. */
  readonly inFlight: number
}

/** File descriptors of a process and its descendants, and how many of them are sockets. */
export function descriptorsOf(pid: number): { readonly fileDescriptors: number; readonly sockets: number } {
  const targets = treeOf(pid).flatMap(openFiles)
  return { fileDescriptors: targets.length, sockets: targets.filter((target) => target.startsWith('socket:')).length }
}

export function lookAt(pid: number, atSeconds: number, inFlight: number): Sample {
  return { atSeconds, memoryMb: residentMemoryMb(pid), ...descriptorsOf(pid), inFlight }
}

/** MiB a minute over the second half of a run: memory that is still filling up early on is no leak. Least squares. */
export function memorySlope(samples: readonly Sample[]): number {
  const late = samples.slice(Math.floor(samples.length / 2))
  const mean = (of: (sample: Sample) => number) => late.reduce((sum, sample) => sum + of(sample), 0) / late.length
  const [meanAt, meanMb] = [mean(({ atSeconds }) => atSeconds), mean(({ memoryMb }) => memoryMb)]
  const covariance = mean(({ atSeconds, memoryMb }) => (atSeconds - meanAt) * (memoryMb - meanMb))
  const variance = mean(({ atSeconds }) => (atSeconds - meanAt) ** 2)
  return variance === 0 ? 0 : (covariance / variance) * 60
}

function openFiles(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`
  try {
    return readdirSync(folder).map((name) => linkOf(`${folder}/${name}`))
  } catch {
    // The process ended in the meantime, or there is no /proc.
    return []
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    // Closed in the meantime.
    return ''
  }
}
